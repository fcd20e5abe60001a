-- As import_products_v2, for files of 200,000 rows: a batch is held against the other products by index, and against itself by sorting it.
-- The planner, which has seen the table when it was small, would read all of it for each batch. A row is refused where its GTIN is another
-- product's, or an earlier row's that is not refused for that itself.
CREATE FUNCTION import_products_v3(p_rows jsonb) RETURNS text[] LANGUAGE plpgsql SET enable_seqscan = off AS $$
DECLARE
  v_refused integer[];
  v_accepted text[];
BEGIN
  PERFORM pg_advisory_xact_lock(hashtext('import products'));
  SELECT coalesce(array_agg(at), '{}') INTO v_refused
    FROM (SELECT at, is_taken, row_number() OVER (PARTITION BY gtin, is_taken ORDER BY at) AS place
      FROM (SELECT at, gtin, EXISTS (SELECT FROM products p WHERE p.gtin = w.gtin AND p.sku <> w.sku) AS is_taken
        FROM jsonb_to_recordset(p_rows) AS w (at integer, sku text, gtin text)) AS looked_up) AS numbered
    WHERE is_taken OR place > 1;
  WITH written AS (
    INSERT INTO products AS p (sku, gtin, name, item_group, is_serialised, is_active, changed_at)
    SELECT sku, gtin, name, "itemGroup", "isSerialised", "isActive", clock_timestamp()
      FROM jsonb_to_recordset(p_rows) AS w (at integer, sku text, gtin text, name text, "itemGroup" text, "isSerialised" boolean, "isActive" boolean)
      WHERE at <> ALL (v_refused) ORDER BY sku
    ON CONFLICT (sku) DO UPDATE
      SET gtin = excluded.gtin, name = excluded.name, item_group = excluded.item_group, is_serialised = excluded.is_serialised,
        is_active = excluded.is_active, version = p.version + 1, changed_at = clock_timestamp()
      WHERE (p.gtin, p.name, p.item_group, p.is_serialised, p.is_active)
        IS DISTINCT FROM (excluded.gtin, excluded.name, excluded.item_group, excluded.is_serialised, excluded.is_active)
    RETURNING p AS product
  ), changed AS (
    INSERT INTO pending_changes (topic, key, payload, changed_at)
    SELECT 'PRODUCT', (product).sku, product_v1(product), (product).changed_at FROM written
  )
  SELECT coalesce(array_agg((product).sku), '{}') INTO v_accepted FROM written;
  RETURN (SELECT array_agg(CASE WHEN at = ANY (v_refused) THEN 'gtin-taken' WHEN sku = ANY (v_accepted) THEN 'accepted' ELSE 'unchanged' END ORDER BY at)
    FROM jsonb_to_recordset(p_rows) AS w (at integer, sku text));
END $$;
