-- FIRM becomes CONSUMED for several reservations in one transaction, with their SALE movements. Answers those that are consumed by their
-- document: done now, or repeated, with how many lines they have. A reservation that is anything else is left as it is and is not in the
-- answer; consume_reservation_v1 tells why. Locks as all commands do: reservations by id, then levels by shop and sku.
-- Plans are kept: one that was made while a table was empty must not read all of it for a handful of rows when it has grown.
CREATE FUNCTION consume_reservations_v1(p_ids uuid[], p_document_types text[], p_document_ids text[]) RETURNS jsonb LANGUAGE plpgsql
  SET enable_seqscan = off SET enable_hashjoin = off SET enable_mergejoin = off AS $$
DECLARE
  v_firm uuid[];
BEGIN
  SELECT array_agg(id) INTO v_firm FROM (
    SELECT id, state FROM reservations WHERE id = ANY (p_ids) ORDER BY id FOR NO KEY UPDATE) AS locked
  WHERE state = 'FIRM';
  PERFORM FROM reservations r JOIN reservation_lines w ON w.reservation_id = r.id JOIN stock_levels l ON l.shop_id = r.shop_id AND l.sku = w.sku
    WHERE r.id = ANY (v_firm) ORDER BY l.shop_id, l.sku FOR NO KEY UPDATE OF l;
  WITH asked AS (
    SELECT DISTINCT ON (id) id, document_type, document_id
    FROM unnest(p_ids, p_document_types, p_document_ids) AS a (id, document_type, document_id) WHERE id = ANY (v_firm)
  ), ended AS (
    UPDATE reservations r SET state = 'CONSUMED', document_type = a.document_type, document_id = a.document_id, changed_at = clock_timestamp()
    FROM asked a WHERE r.id = a.id
    RETURNING r.id, r.shop_id, r.document_type, r.document_id, r.subject
  ), sold AS (
    SELECT ended.*, w.sku, w.quantity FROM ended JOIN reservation_lines w ON w.reservation_id = ended.id
  ), movements AS (
    INSERT INTO stock_movements (shop_id, sku, type, delta, document_type, document_id, line_key, subject)
    SELECT shop_id, sku, 'SALE', -quantity, document_type, document_id, id::text, subject FROM sold
  ), moved AS (
    UPDATE stock_levels l SET on_hand = l.on_hand - t.quantity, reserved = l.reserved - t.quantity, changed_at = clock_timestamp()
    FROM (SELECT shop_id, sku, sum(quantity)::integer AS quantity FROM sold GROUP BY shop_id, sku) AS t
    WHERE l.shop_id = t.shop_id AND l.sku = t.sku
    RETURNING l AS level
  )
  INSERT INTO pending_changes (topic, key, payload, changed_at)
  SELECT 'LEVEL', (level).shop_id || '/' || (level).sku, level_v1(level), (level).changed_at FROM moved;
  RETURN (
    SELECT coalesce(jsonb_agg(DISTINCT jsonb_build_object(
      'reservationId', r.id, 'outcome', CASE WHEN r.id = ANY (v_firm) THEN 'done' ELSE 'repeated' END,
      'lines', (SELECT count(*) FROM reservation_lines w WHERE w.reservation_id = r.id))), '[]')
    FROM reservations r JOIN unnest(p_ids, p_document_types, p_document_ids) AS a (id, document_type, document_id)
      ON r.id = a.id AND r.document_type = a.document_type AND r.document_id = a.document_id
    WHERE r.state = 'CONSUMED');
END $$;
