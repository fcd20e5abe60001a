-- After this database was restored to an earlier point: what others know took place since.

-- Books what a sale took off the shelf, as CONSUMED, whatever the reservation was when the copy was made: unknown, ACTIVE, FIRM, or
-- EXPIRED since. Outcomes: done, repeated; reused where it is another's, or of other lines; closed where it was RELEASED; short, naming
-- the lines that are not there; expired-in-the-way, where expire_reservations_v1 makes room first; not-found for a shop that is none.
-- The fingerprint of one that was unknown stays unknown, so that the request it began with is still recognised by its id.
CREATE FUNCTION recover_reservation_v1(
  p_id uuid, p_shop text, p_skus text[], p_quantities integer[], p_reference text, p_document_type text, p_document_id text, p_reason text,
  p_subject text, p_role text
) RETURNS jsonb LANGUAGE plpgsql AS $$
DECLARE
  r reservations;
  v_shops text[] := array_fill(p_shop, ARRAY[cardinality(p_skus)]);
  v_taken integer[];
  v_short jsonb;
BEGIN
  -- An id that is in no row yet has no row to be locked by, and the same request may come twice at once.
  PERFORM pg_advisory_xact_lock(hashtextextended(p_id::text, 0));
  SELECT * INTO r FROM reservations WHERE id = p_id FOR NO KEY UPDATE;
  IF r.state = 'CONSUMED' THEN
    RETURN CASE WHEN (r.document_type, r.document_id) = (p_document_type, p_document_id)
      THEN jsonb_build_object('outcome', 'repeated', 'reservation', reservation_v1(p_id))
      ELSE jsonb_build_object('outcome', 'reused') END;
  END IF;
  IF r.state = 'RELEASED' THEN
    RETURN jsonb_build_object('outcome', 'closed', 'state', r.state);
  END IF;
  IF r.id IS NOT NULL AND (r.shop_id, r.reference) IS DISTINCT FROM (p_shop, p_reference) OR r.id IS NOT NULL AND EXISTS (
    SELECT FROM unnest(p_skus, p_quantities) AS w (sku, quantity)
      FULL JOIN (SELECT sku, quantity FROM reservation_lines WHERE reservation_id = p_id) AS l USING (sku)
      WHERE w.quantity IS DISTINCT FROM l.quantity) THEN
    RETURN jsonb_build_object('outcome', 'reused');
  END IF;

  IF r.state IN ('ACTIVE', 'FIRM') THEN
    PERFORM free_levels_v1(p_id, p_shop, true);
  ELSE
    PERFORM lock_levels_v1(v_shops, p_skus);
    SELECT jsonb_agg(jsonb_build_object('sku', w.sku, 'requested', w.quantity, 'available', coalesce(l.on_hand - l.reserved, 0)) ORDER BY w.sku)
      INTO v_short
      FROM unnest(p_skus, p_quantities) AS w (sku, quantity) LEFT JOIN stock_levels l ON l.shop_id = p_shop AND l.sku = w.sku
      WHERE coalesce(l.on_hand - l.reserved, 0) < w.quantity;
    IF v_short IS NOT NULL THEN
      IF is_expired_in_the_way_v1(p_shop, p_skus) THEN
        RETURN jsonb_build_object('outcome', 'expired-in-the-way');
      END IF;
      IF NOT EXISTS (SELECT FROM shops WHERE id = p_shop) THEN
        RETURN jsonb_build_object('outcome', 'not-found');
      END IF;
      RETURN jsonb_build_object('outcome', 'short', 'lines', v_short);
    END IF;
    SELECT array_agg(-quantity ORDER BY place) INTO v_taken FROM unnest(p_quantities) WITH ORDINALITY AS q (quantity, place);
    PERFORM move_levels_v1(v_shops, p_skus, v_taken, array_fill(0, ARRAY[cardinality(p_skus)]));
  END IF;

  IF r.id IS NULL THEN
    INSERT INTO reservations (id, shop_id, state, reference, document_type, document_id, subject, role)
    VALUES (p_id, p_shop, 'CONSUMED', p_reference, p_document_type, p_document_id, p_subject, p_role);
    INSERT INTO reservation_lines (reservation_id, sku, quantity) SELECT p_id, sku, quantity FROM unnest(p_skus, p_quantities) AS w (sku, quantity);
  ELSE
    UPDATE reservations SET state = 'CONSUMED', expires_at = NULL, document_type = p_document_type, document_id = p_document_id,
        changed_at = clock_timestamp() WHERE id = p_id;
  END IF;
  INSERT INTO stock_movements (shop_id, sku, type, delta, document_type, document_id, line_key, subject)
  SELECT p_shop, sku, 'SALE', -quantity, p_document_type, p_document_id, p_id::text, p_subject FROM reservation_lines WHERE reservation_id = p_id ORDER BY sku;
  INSERT INTO privileged_acts (act, target, detail, subject, role)
  VALUES ('recover-reservation', 'reservation:' || p_id,
    jsonb_build_object('from', coalesce(r.state, 'unknown'), 'reference', p_reference, 'reason', p_reason), p_subject, p_role);
  RETURN jsonb_build_object('outcome', 'done', 'reservation', reservation_v1(p_id));
END $$;

-- Says that the numbering of the feed began anew, so that every reader takes a snapshot. A log that was replayed says so by its timeline;
-- a database restored from a dump or a copy counts on as if nothing had been lost.
CREATE FUNCTION renew_epoch_v1(p_reason text, p_subject text, p_role text) RETURNS jsonb LANGUAGE plpgsql AS $$
DECLARE
  v_before uuid;
  v_epoch uuid;
BEGIN
  SELECT epoch INTO v_before FROM feed FOR NO KEY UPDATE;
  UPDATE feed SET epoch = gen_random_uuid() RETURNING epoch INTO v_epoch;
  INSERT INTO privileged_acts (act, target, detail, subject, role)
  VALUES ('renew-epoch', 'feed', jsonb_build_object('from', v_before, 'to', v_epoch, 'reason', p_reason), p_subject, p_role);
  RETURN jsonb_build_object('outcome', 'done', 'feed', jsonb_build_object('epoch', v_epoch));
END $$;
