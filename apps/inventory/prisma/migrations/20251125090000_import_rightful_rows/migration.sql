-- A row that claims what another one holds is refused before the rest is looked at. Before, it took the rightful row of its batch along,
-- which stands behind it in the file and was refused for a GTIN or GLN of its own.

CREATE FUNCTION import_products_v2(p_rows jsonb) RETURNS text[] LANGUAGE plpgsql AS $$
DECLARE
  v_free jsonb;
  v_words text[];
BEGIN
  PERFORM pg_advisory_xact_lock(hashtext('import products'));
  SELECT jsonb_agg(w) INTO v_free FROM jsonb_array_elements(p_rows) AS w
    WHERE NOT EXISTS (SELECT FROM products p WHERE p.gtin = w->>'gtin' AND p.sku <> w->>'sku');
  v_words := import_products_v1(v_free);
  RETURN (SELECT array_agg(coalesce(v_words[f.place], 'gtin-taken') ORDER BY w.at) FROM jsonb_to_recordset(p_rows) AS w (at integer)
    LEFT JOIN (SELECT at, row_number() OVER (ORDER BY at) AS place FROM jsonb_to_recordset(v_free) AS r (at integer)) AS f USING (at));
END $$;

CREATE FUNCTION import_shops_v2(p_rows jsonb) RETURNS text[] LANGUAGE plpgsql AS $$
DECLARE
  v_free jsonb;
  v_words text[];
BEGIN
  PERFORM pg_advisory_xact_lock(hashtext('import shops'));
  SELECT jsonb_agg(w) INTO v_free FROM jsonb_array_elements(p_rows) AS w
    WHERE NOT EXISTS (SELECT FROM shops s WHERE s.gln = w->>'gln' AND s.id <> w->>'shopId');
  v_words := import_shops_v1(v_free);
  RETURN (SELECT array_agg(coalesce(v_words[f.place], 'gln-taken') ORDER BY w.at) FROM jsonb_to_recordset(p_rows) AS w (at integer)
    LEFT JOIN (SELECT at, row_number() OVER (ORDER BY at) AS place FROM jsonb_to_recordset(v_free) AS r (at integer)) AS f USING (at));
END $$;
