-- A Reserve that comes again holds the levels, and must not wait for its reservation: whoever ends that one has locked it, and waits for
-- the levels. The two stood in a circle until PostgreSQL broke it, a second later.

-- Reserves all lines or none. Outcomes: reserved; repeated, expired, closed or reused for an id that was seen; short, naming the lines;
-- expired-in-the-way, where expire_reservations_v1 makes room first; not-found for a shop that is none. Only `reserved` wrote something.
CREATE FUNCTION reserve_stock_v2(
  p_id uuid, p_shop text, p_skus text[], p_quantities integer[], p_state text, p_ttl_ms bigint, p_reference text, p_fingerprint text,
  p_subject text, p_role text
) RETURNS jsonb LANGUAGE plpgsql AS $$
DECLARE
  v_free integer;
  v_short jsonb;
  v_moved integer;
BEGIN
  -- What is read under the lock is what the level is now, and stays so.
  SELECT count(*) INTO v_free FROM (
    SELECT l.on_hand - l.reserved AS available, w.quantity
    FROM unnest(p_skus, p_quantities) AS w (sku, quantity) JOIN stock_levels l ON l.shop_id = p_shop AND l.sku = w.sku
    ORDER BY l.sku FOR NO KEY UPDATE OF l) AS locked
  WHERE available >= quantity;
  IF v_free < cardinality(p_skus) THEN
    -- The same request may have been here before, or have taken the last units while this one waited for the lock.
    IF EXISTS (SELECT FROM reservations WHERE id = p_id) THEN
      RETURN reserve_again_v1(p_id, p_shop, p_fingerprint);
    END IF;
    IF is_expired_in_the_way_v1(p_shop, p_skus) THEN
      RETURN jsonb_build_object('outcome', 'expired-in-the-way');
    END IF;
    IF NOT EXISTS (SELECT FROM shops WHERE id = p_shop) THEN
      RETURN jsonb_build_object('outcome', 'not-found');
    END IF;
    SELECT jsonb_agg(jsonb_build_object('sku', w.sku, 'requested', w.quantity, 'available', coalesce(l.on_hand - l.reserved, 0)) ORDER BY w.sku)
      INTO v_short
      FROM unnest(p_skus, p_quantities) AS w (sku, quantity) LEFT JOIN stock_levels l ON l.shop_id = p_shop AND l.sku = w.sku
      WHERE coalesce(l.on_hand - l.reserved, 0) < w.quantity;
    RETURN jsonb_build_object('outcome', 'short', 'lines', coalesce(v_short, '[]'));
  END IF;
  -- ON CONFLICT waits for whoever is changing the row it meets; of a row that is there already, nothing is tried.
  WITH made AS (
    INSERT INTO reservations (id, shop_id, state, fingerprint, reference, expires_at, subject, role)
    SELECT p_id, p_shop, p_state, p_fingerprint, p_reference,
      CASE p_state WHEN 'ACTIVE' THEN clock_timestamp() + p_ttl_ms * interval '1 millisecond' END, p_subject, p_role
    WHERE NOT EXISTS (SELECT FROM reservations WHERE id = p_id)
    ON CONFLICT (id) DO NOTHING RETURNING id
  ), lines AS (
    INSERT INTO reservation_lines (reservation_id, sku, quantity)
    SELECT made.id, w.sku, w.quantity FROM made, unnest(p_skus, p_quantities) AS w (sku, quantity)
  ), moved AS (
    UPDATE stock_levels l SET reserved = l.reserved + w.quantity, changed_at = clock_timestamp()
    FROM made, unnest(p_skus, p_quantities) AS w (sku, quantity)
    WHERE l.shop_id = p_shop AND l.sku = w.sku
    RETURNING l AS level
  )
  INSERT INTO pending_changes (topic, key, payload, changed_at)
  SELECT 'LEVEL', (level).shop_id || '/' || (level).sku, level_v1(level), (level).changed_at FROM moved;
  GET DIAGNOSTICS v_moved = ROW_COUNT;
  IF v_moved = 0 THEN
    RETURN reserve_again_v1(p_id, p_shop, p_fingerprint);
  END IF;
  RETURN jsonb_build_object('outcome', 'reserved', 'reservation', reservation_v1(p_id));
END $$;
