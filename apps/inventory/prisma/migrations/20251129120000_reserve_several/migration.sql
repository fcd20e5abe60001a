-- Several reservations in one transaction: each is answered as reserve_stock_v2 does, in the order asked for. All their levels are locked
-- first, by shop and sku as every command does, so that two that run at once never stand in a circle.
-- Plans are kept: one that was made while the table was empty must not read all of it for a handful of rows when it has grown.
CREATE FUNCTION reserve_several_v1(p_requests jsonb) RETURNS jsonb LANGUAGE plpgsql
  SET enable_seqscan = off SET enable_hashjoin = off SET enable_mergejoin = off AS $$
DECLARE
  r record;
  v_answers jsonb := '[]';
BEGIN
  PERFORM FROM (SELECT DISTINCT q->>'shopId' AS shop_id, sku FROM jsonb_array_elements(p_requests) AS q, jsonb_array_elements_text(q->'skus') AS sku) AS w
    JOIN stock_levels l ON l.shop_id = w.shop_id AND l.sku = w.sku ORDER BY l.shop_id, l.sku FOR NO KEY UPDATE OF l;
  FOR r IN SELECT * FROM jsonb_to_recordset(p_requests) AS q (id uuid, "shopId" text, skus text[], quantities integer[], state text, "ttlMs" bigint,
      reference text, fingerprint text, subject text, role text)
  LOOP
    v_answers := v_answers || reserve_stock_v2(r.id, r."shopId", r.skus, r.quantities, r.state, r."ttlMs", r.reference, r.fingerprint, r.subject, r.role);
  END LOOP;
  RETURN v_answers;
END $$;
