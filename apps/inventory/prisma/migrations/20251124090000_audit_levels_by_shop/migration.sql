-- The audit of levels, shop by shop: the movements of all shops are more than one statement reads in its time.

-- The first shop after p_after that something is on record of, a shop of ours or not; null where there is none.
CREATE FUNCTION audited_shop_v1(p_after text) RETURNS text LANGUAGE sql STABLE AS $$
  SELECT least(
    (SELECT min(shop_id) FROM stock_levels WHERE shop_id > p_after),
    (SELECT min(shop_id) FROM stock_movements WHERE shop_id > p_after),
    (SELECT min(shop_id) FROM reservations WHERE shop_id > p_after AND state IN ('ACTIVE', 'FIRM')))
$$;

-- Of the first shop after p_after: its levels that are not the sum of their movements, or whose `reserved` is not the sum of open
-- reservations, from one snapshot. Null where no shop is left.
CREATE FUNCTION audit_levels_v2(p_after text) RETURNS jsonb LANGUAGE plpgsql AS $$
DECLARE
  v_shop text := audited_shop_v1(p_after);
BEGIN
  IF v_shop IS NULL THEN
    RETURN NULL;
  END IF;
  RETURN (
    WITH levels AS (SELECT sku, on_hand, reserved FROM stock_levels WHERE shop_id = v_shop),
    moved AS (SELECT sku, sum(delta) AS on_hand FROM stock_movements WHERE shop_id = v_shop GROUP BY sku),
    held AS (
      SELECT l.sku, sum(l.quantity) AS reserved FROM reservations r JOIN reservation_lines l ON l.reservation_id = r.id
      WHERE r.shop_id = v_shop AND r.state IN ('ACTIVE', 'FIRM') GROUP BY l.sku),
    compared AS (
      SELECT sku, coalesce(v.on_hand, 0) AS on_hand, coalesce(v.reserved, 0) AS reserved,
        coalesce(m.on_hand, 0) AS moved, coalesce(h.reserved, 0) AS held
      FROM levels v FULL JOIN moved m USING (sku) FULL JOIN held h USING (sku)),
    violations AS (
      SELECT c.sku, p.problem, c.on_hand, c.reserved, c.moved, c.held FROM compared c, LATERAL (VALUES
        ('on-hand-is-not-the-sum-of-movements', c.on_hand <> c.moved),
        ('reserved-is-not-the-sum-of-reservations', c.reserved <> c.held),
        ('negative', c.on_hand < 0 OR c.reserved < 0 OR c.reserved > c.on_hand)) AS p (problem, is_so) WHERE p.is_so)
    SELECT jsonb_build_object(
      'shopId', v_shop,
      'checkedLevels', (SELECT count(*) FROM compared),
      'violations', (SELECT coalesce(jsonb_agg(jsonb_build_object('shopId', v_shop, 'sku', sku, 'problem', problem, 'onHand', on_hand, 'reserved', reserved,
        'movements', moved, 'reservations', held) ORDER BY sku), '[]') FROM (SELECT * FROM violations ORDER BY sku, problem LIMIT 1000) AS first)));
END $$;
