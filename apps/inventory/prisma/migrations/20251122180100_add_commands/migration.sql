-- The commands of inventory. Each is called by one statement, so that it is one transaction, and answers JSON with an `outcome`.
-- Inner statements of a function see what was committed before they began (READ COMMITTED): a check that follows a lock is exact.
-- A changed function gets another suffix and the old one stays for the code before it.
--
-- Order of locks, the same everywhere: reservations (by id, or skipping those that are locked), then levels by shop and sku, then
-- what is inserted. Nobody who holds a level waits for an existing reservation, so no two commands can wait for each other.

-- An instant as the API writes it.
CREATE FUNCTION instant_v1(p_at timestamptz) RETURNS text LANGUAGE sql STABLE AS $$
  SELECT to_char(p_at AT TIME ZONE 'UTC', 'YYYY-MM-DD"T"HH24:MI:SS.MS"Z"')
$$;

-- Locks levels in order. Pairs without a level are passed over.
CREATE FUNCTION lock_levels_v1(p_shops text[], p_skus text[]) RETURNS void LANGUAGE plpgsql AS $$
BEGIN
  PERFORM FROM unnest(p_shops, p_skus) AS wanted (shop_id, sku) JOIN stock_levels l USING (shop_id, sku)
    ORDER BY l.shop_id, l.sku FOR NO KEY UPDATE OF l;
END $$;

-- A level as the feed shows it.
CREATE FUNCTION level_v1(l stock_levels) RETURNS jsonb LANGUAGE sql STABLE AS $$
  SELECT jsonb_build_object('shopId', l.shop_id, 'sku', l.sku, 'onHand', l.on_hand, 'reserved', l.reserved, 'changedAt', instant_v1(l.changed_at))
$$;

-- Adds to levels the caller has locked, each pair once, and writes the changes for the feed.
CREATE FUNCTION move_levels_v1(p_shops text[], p_skus text[], p_on_hand integer[], p_reserved integer[]) RETURNS void LANGUAGE plpgsql AS $$
DECLARE
  v_moved integer;
BEGIN
  WITH moved AS (
    UPDATE stock_levels l
    SET on_hand = l.on_hand + d.on_hand, reserved = l.reserved + d.reserved, changed_at = clock_timestamp()
    FROM unnest(p_shops, p_skus, p_on_hand, p_reserved) AS d (shop_id, sku, on_hand, reserved)
    WHERE l.shop_id = d.shop_id AND l.sku = d.sku
    RETURNING l AS level
  )
  INSERT INTO pending_changes (topic, key, payload, changed_at)
  SELECT 'LEVEL', (level).shop_id || '/' || (level).sku, level_v1(level), (level).changed_at FROM moved;
  GET DIAGNOSTICS v_moved = ROW_COUNT;
  IF v_moved <> cardinality(p_skus) THEN
    RAISE EXCEPTION 'only % of % levels are there to be moved', v_moved, cardinality(p_skus);
  END IF;
END $$;

-- A reservation as the API shows it.
CREATE FUNCTION reservation_v1(p_id uuid) RETURNS jsonb LANGUAGE plpgsql AS $$
BEGIN
  RETURN (
    SELECT jsonb_strip_nulls(jsonb_build_object(
      'reservationId', r.id, 'shopId', r.shop_id, 'state', r.state, 'reference', r.reference, 'expiresAt', instant_v1(r.expires_at),
      'lines', (SELECT coalesce(jsonb_agg(jsonb_build_object('sku', l.sku, 'quantity', l.quantity) ORDER BY l.sku), '[]')
                FROM reservation_lines l WHERE l.reservation_id = r.id)))
    FROM reservations r WHERE r.id = p_id);
END $$;

-- What a reservation that is there already answers to a second Reserve under its id.
CREATE FUNCTION reserve_again_v1(p_id uuid, p_shop text, p_fingerprint text) RETURNS jsonb LANGUAGE plpgsql AS $$
DECLARE
  r reservations;
BEGIN
  SELECT * INTO r FROM reservations WHERE id = p_id;
  IF r.fingerprint IS DISTINCT FROM p_fingerprint AND r.fingerprint IS NOT NULL THEN
    RETURN jsonb_build_object('outcome', 'reused');
  END IF;
  RETURN CASE
    WHEN r.state = 'RELEASED' THEN jsonb_build_object('outcome', 'closed', 'state', r.state)
    WHEN r.state = 'EXPIRED' OR r.expires_at <= clock_timestamp() THEN jsonb_build_object('outcome', 'expired')
    ELSE jsonb_build_object('outcome', 'repeated', 'reservation', reservation_v1(p_id))
  END;
END $$;

-- True where reservations that ran out of time still hold units of these products.
CREATE FUNCTION is_expired_in_the_way_v1(p_shop text, p_skus text[]) RETURNS boolean LANGUAGE plpgsql AS $$
DECLARE
  v_now timestamptz := clock_timestamp();
BEGIN
  RETURN EXISTS (
    SELECT FROM reservations r JOIN reservation_lines l ON l.reservation_id = r.id
    WHERE r.state = 'ACTIVE' AND r.expires_at <= v_now AND r.shop_id = p_shop AND l.sku = ANY (p_skus));
END $$;

-- Reserves all lines or none. Outcomes: reserved; repeated, expired, closed or reused for an id that was seen; short, naming the lines;
-- expired-in-the-way, where expire_reservations_v1 makes room first; not-found for a shop that is none. Only `reserved` wrote something.
CREATE FUNCTION reserve_stock_v1(
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
  WITH made AS (
    INSERT INTO reservations (id, shop_id, state, fingerprint, reference, expires_at, subject, role)
    VALUES (p_id, p_shop, p_state, p_fingerprint, p_reference,
      CASE p_state WHEN 'ACTIVE' THEN clock_timestamp() + p_ttl_ms * interval '1 millisecond' END, p_subject, p_role)
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

-- Takes what a reservation holds out of `reserved`, and with p_is_sold out of `on_hand` too. The caller has locked the reservation.
CREATE FUNCTION free_levels_v1(p_id uuid, p_shop text, p_is_sold boolean) RETURNS void LANGUAGE plpgsql AS $$
DECLARE
  v_shops text[];
  v_skus text[];
  v_taken integer[];
BEGIN
  SELECT array_agg(p_shop), array_agg(sku), array_agg(-quantity) INTO v_shops, v_skus, v_taken FROM reservation_lines WHERE reservation_id = p_id;
  PERFORM lock_levels_v1(v_shops, v_skus);
  PERFORM move_levels_v1(v_shops, v_skus, CASE WHEN p_is_sold THEN v_taken ELSE array_fill(0, ARRAY[cardinality(v_skus)]) END, v_taken);
END $$;

-- ACTIVE becomes FIRM. Outcomes: done, repeated (FIRM or CONSUMED already), expired, closed, not-found. p_shop: of this shop only.
CREATE FUNCTION firm_reservation_v1(p_id uuid, p_shop text) RETURNS jsonb LANGUAGE plpgsql AS $$
DECLARE
  r reservations;
BEGIN
  SELECT * INTO r FROM reservations WHERE id = p_id AND (p_shop IS NULL OR shop_id = p_shop) FOR NO KEY UPDATE;
  IF NOT FOUND THEN
    RETURN jsonb_build_object('outcome', 'not-found');
  END IF;
  IF r.state IN ('FIRM', 'CONSUMED') THEN
    RETURN jsonb_build_object('outcome', 'repeated', 'reservation', reservation_v1(p_id));
  END IF;
  IF r.state = 'RELEASED' THEN
    RETURN jsonb_build_object('outcome', 'closed', 'state', r.state);
  END IF;
  IF r.state = 'EXPIRED' OR r.expires_at <= clock_timestamp() THEN
    RETURN jsonb_build_object('outcome', 'expired');
  END IF;
  UPDATE reservations SET state = 'FIRM', expires_at = NULL, changed_at = clock_timestamp() WHERE id = p_id;
  RETURN jsonb_build_object('outcome', 'done', 'reservation', reservation_v1(p_id));
END $$;

-- An ACTIVE reservation lives at least p_ttl_ms from now; never shorter than it did. Outcomes: done, expired, closed, wrong-state, not-found.
CREATE FUNCTION extend_reservation_v1(p_id uuid, p_shop text, p_ttl_ms bigint) RETURNS jsonb LANGUAGE plpgsql AS $$
DECLARE
  r reservations;
BEGIN
  SELECT * INTO r FROM reservations WHERE id = p_id AND (p_shop IS NULL OR shop_id = p_shop) FOR NO KEY UPDATE;
  IF NOT FOUND THEN
    RETURN jsonb_build_object('outcome', 'not-found');
  END IF;
  IF r.state = 'EXPIRED' OR r.expires_at <= clock_timestamp() THEN
    RETURN jsonb_build_object('outcome', 'expired');
  END IF;
  IF r.state IN ('RELEASED', 'CONSUMED') THEN
    RETURN jsonb_build_object('outcome', 'closed', 'state', r.state);
  END IF;
  IF r.state = 'FIRM' THEN
    RETURN jsonb_build_object('outcome', 'wrong-state', 'state', r.state);
  END IF;
  UPDATE reservations SET expires_at = greatest(expires_at, clock_timestamp() + p_ttl_ms * interval '1 millisecond') WHERE id = p_id;
  RETURN jsonb_build_object('outcome', 'done', 'reservation', reservation_v1(p_id));
END $$;

-- FIRM becomes CONSUMED, with its SALE movements. Outcomes: done, repeated, reused (by another document), expired, closed, wrong-state
-- (ACTIVE: make it firm first), not-found. Without p_subject the movements are whoever's the reservation is.
CREATE FUNCTION consume_reservation_v1(p_id uuid, p_shop text, p_document_type text, p_document_id text, p_subject text) RETURNS jsonb LANGUAGE plpgsql AS $$
DECLARE
  r reservations;
BEGIN
  SELECT * INTO r FROM reservations WHERE id = p_id AND (p_shop IS NULL OR shop_id = p_shop) FOR NO KEY UPDATE;
  IF NOT FOUND THEN
    RETURN jsonb_build_object('outcome', 'not-found');
  END IF;
  IF r.state = 'CONSUMED' THEN
    RETURN CASE WHEN (r.document_type, r.document_id) = (p_document_type, p_document_id)
      THEN jsonb_build_object('outcome', 'repeated', 'reservation', reservation_v1(p_id))
      ELSE jsonb_build_object('outcome', 'reused') END;
  END IF;
  IF r.state = 'RELEASED' THEN
    RETURN jsonb_build_object('outcome', 'closed', 'state', r.state);
  END IF;
  IF r.state = 'EXPIRED' OR r.expires_at <= clock_timestamp() THEN
    RETURN jsonb_build_object('outcome', 'expired');
  END IF;
  IF r.state = 'ACTIVE' THEN
    RETURN jsonb_build_object('outcome', 'wrong-state', 'state', r.state);
  END IF;
  PERFORM FROM reservation_lines w JOIN stock_levels l ON l.shop_id = r.shop_id AND l.sku = w.sku
    WHERE w.reservation_id = p_id ORDER BY l.sku FOR NO KEY UPDATE OF l;
  -- The reservation is the line of the document, so that two of one document do not meet.
  WITH ended AS (
    UPDATE reservations SET state = 'CONSUMED', document_type = p_document_type, document_id = p_document_id, changed_at = clock_timestamp()
    WHERE id = p_id
  ), moved AS (
    UPDATE stock_levels l SET on_hand = l.on_hand - w.quantity, reserved = l.reserved - w.quantity, changed_at = clock_timestamp()
    FROM reservation_lines w WHERE w.reservation_id = p_id AND l.shop_id = r.shop_id AND l.sku = w.sku
    RETURNING l AS level, w.quantity
  ), movements AS (
    INSERT INTO stock_movements (shop_id, sku, type, delta, document_type, document_id, line_key, subject)
    SELECT (level).shop_id, (level).sku, 'SALE', -quantity, p_document_type, p_document_id, p_id::text, coalesce(p_subject, r.subject) FROM moved
  )
  INSERT INTO pending_changes (topic, key, payload, changed_at)
  SELECT 'LEVEL', (level).shop_id || '/' || (level).sku, level_v1(level), (level).changed_at FROM moved;
  RETURN jsonb_build_object('outcome', 'done', 'reservation', reservation_v1(p_id));
END $$;

-- ACTIVE or FIRM becomes RELEASED. Outcomes: done, repeated (RELEASED or EXPIRED: nothing is held any more), closed (CONSUMED), not-found.
-- With p_is_tombstone an id never seen is written down as RELEASED, so that a Reserve still under way finds it closed.
CREATE FUNCTION release_reservation_v1(p_id uuid, p_shop text, p_is_tombstone boolean, p_subject text, p_role text) RETURNS jsonb LANGUAGE plpgsql AS $$
DECLARE
  r reservations;
BEGIN
  IF p_is_tombstone THEN
    INSERT INTO reservations (id, state, subject, role) SELECT p_id, 'RELEASED', p_subject, p_role
    WHERE NOT EXISTS (SELECT FROM reservations WHERE id = p_id) ON CONFLICT (id) DO NOTHING;
    IF FOUND THEN
      RETURN jsonb_build_object('outcome', 'done', 'reservation', reservation_v1(p_id));
    END IF;
  END IF;
  SELECT * INTO r FROM reservations WHERE id = p_id AND (p_shop IS NULL OR shop_id = p_shop) FOR NO KEY UPDATE;
  IF NOT FOUND THEN
    RETURN jsonb_build_object('outcome', 'not-found');
  END IF;
  IF r.state IN ('RELEASED', 'EXPIRED') THEN
    RETURN jsonb_build_object('outcome', 'repeated', 'reservation', reservation_v1(p_id));
  END IF;
  IF r.state = 'CONSUMED' THEN
    RETURN jsonb_build_object('outcome', 'closed', 'state', r.state);
  END IF;
  UPDATE reservations SET state = 'RELEASED', expires_at = NULL, changed_at = clock_timestamp() WHERE id = p_id;
  PERFORM free_levels_v1(p_id, r.shop_id, false);
  IF p_role = 'operator' THEN
    INSERT INTO privileged_acts (act, target, detail, subject, role)
    VALUES ('release-reservation', 'reservation:' || p_id, jsonb_build_object('from', r.state, 'reference', r.reference), p_subject, p_role);
  END IF;
  RETURN jsonb_build_object('outcome', 'done', 'reservation', reservation_v1(p_id));
END $$;

-- Ends reservations whose time is over, and answers how many. Without a shop: at most p_limit of all, leaving out those someone else is
-- working on. With one: all that hold units of these products there, waiting for whoever works on them.
CREATE FUNCTION expire_reservations_v1(p_limit integer, p_shop text, p_skus text[]) RETURNS integer LANGUAGE plpgsql AS $$
DECLARE
  v_now timestamptz := clock_timestamp();
  v_ids uuid[];
  v_shops text[];
  v_skus text[];
  v_taken integer[];
BEGIN
  IF p_shop IS NULL THEN
    SELECT array_agg(id) INTO v_ids FROM (
      SELECT id FROM reservations WHERE state = 'ACTIVE' AND expires_at <= v_now ORDER BY expires_at LIMIT p_limit FOR NO KEY UPDATE SKIP LOCKED) AS due;
  ELSE
    SELECT array_agg(id) INTO v_ids FROM (
      SELECT r.id FROM reservations r WHERE r.state = 'ACTIVE' AND r.expires_at <= v_now AND r.shop_id = p_shop
        AND EXISTS (SELECT FROM reservation_lines l WHERE l.reservation_id = r.id AND l.sku = ANY (p_skus))
      ORDER BY r.id FOR NO KEY UPDATE OF r) AS due;
  END IF;
  IF v_ids IS NULL THEN
    RETURN 0;
  END IF;
  UPDATE reservations SET state = 'EXPIRED', expires_at = NULL, changed_at = clock_timestamp() WHERE id = ANY (v_ids);
  SELECT array_agg(shop_id), array_agg(sku), array_agg(-quantity) INTO v_shops, v_skus, v_taken FROM (
    SELECT r.shop_id, l.sku, sum(l.quantity)::integer AS quantity
    FROM reservations r JOIN reservation_lines l ON l.reservation_id = r.id WHERE r.id = ANY (v_ids) GROUP BY r.shop_id, l.sku) AS held;
  PERFORM lock_levels_v1(v_shops, v_skus);
  PERFORM move_levels_v1(v_shops, v_skus, array_fill(0, ARRAY[cardinality(v_skus)]), v_taken);
  RETURN cardinality(v_ids);
END $$;

-- Makes the levels that are missing, at zero, locks all, and answers those it made as shop/sku. Nobody else sees them before the commit.
CREATE FUNCTION ensure_levels_v1(p_shops text[], p_skus text[]) RETURNS text[] LANGUAGE plpgsql AS $$
DECLARE
  v_made text[];
BEGIN
  WITH made AS (
    INSERT INTO stock_levels (shop_id, sku) SELECT DISTINCT shop_id, sku FROM unnest(p_shops, p_skus) AS w (shop_id, sku)
      WHERE NOT EXISTS (SELECT FROM stock_levels l WHERE l.shop_id = w.shop_id AND l.sku = w.sku) ORDER BY shop_id, sku
    ON CONFLICT (shop_id, sku) DO NOTHING RETURNING shop_id || '/' || sku AS key)
  SELECT coalesce(array_agg(key), '{}') INTO v_made FROM made;
  PERFORM lock_levels_v1(p_shops, p_skus);
  RETURN v_made;
END $$;

-- Books a document of one shop, all lines or none. p_lines: [{sku, type, delta, lineKey, expectedOnHand}].
-- Outcomes: recorded; repeated (the same document again); refused with `code` and the lines it holds for, first of: not-found (the shop),
-- unknown-item, already-exists (the document has such a line with another quantity, or some of these lines only), stock-changed,
-- insufficient-stock; and expired-in-the-way, where expire_reservations_v1 makes room first.
CREATE FUNCTION record_movements_v1(p_shop text, p_document_type text, p_document_id text, p_lines jsonb, p_subject text, p_role text) RETURNS jsonb LANGUAGE plpgsql AS $$
DECLARE
  v_refused jsonb;
  v_code text;
  v_shops text[];
  v_skus text[];
  v_delta integer[];
  v_made text[];
  v_known integer;
BEGIN
  IF NOT EXISTS (SELECT FROM shops WHERE id = p_shop) THEN
    RETURN jsonb_build_object('outcome', 'refused', 'code', 'not-found');
  END IF;
  SELECT jsonb_agg(DISTINCT jsonb_build_object('sku', sku)) INTO v_refused FROM jsonb_to_recordset(p_lines) AS w (sku text)
    WHERE NOT EXISTS (SELECT FROM products p WHERE p.sku = w.sku);
  IF v_refused IS NOT NULL THEN
    RETURN jsonb_build_object('outcome', 'refused', 'code', 'unknown-item', 'lines', v_refused);
  END IF;
  SELECT array_agg(p_shop), array_agg(sku), array_agg(delta) INTO v_shops, v_skus, v_delta
    FROM (SELECT sku, sum(delta)::integer AS delta FROM jsonb_to_recordset(p_lines) AS w (sku text, delta integer) GROUP BY sku) AS by_sku;
  v_made := ensure_levels_v1(v_shops, v_skus);

  -- Two posts of one document meet at the lock, so from here on it is known which lines are booked.
  SELECT count(m.id), jsonb_agg(jsonb_build_object('sku', w.sku, 'type', w.type, 'lineKey', w."lineKey")) FILTER (WHERE m.delta <> w.delta)
    INTO v_known, v_refused
    FROM jsonb_to_recordset(p_lines) AS w (sku text, type text, delta integer, "lineKey" text)
    LEFT JOIN stock_movements m ON (m.document_type, m.document_id, m.shop_id, m.sku, m.type, m.line_key)
      = (p_document_type, p_document_id, p_shop, w.sku, w.type, w."lineKey");
  IF v_known = jsonb_array_length(p_lines) AND v_refused IS NULL THEN
    RETURN jsonb_build_object('outcome', 'repeated', 'document', stock_document_v1(p_shop, p_document_type, p_document_id));
  ELSIF v_known > 0 THEN
    v_code := 'already-exists';
  ELSE
    SELECT jsonb_agg(jsonb_build_object('sku', sku, 'expected', w."expectedOnHand", 'onHand', l.on_hand) ORDER BY sku) INTO v_refused
      FROM jsonb_to_recordset(p_lines) AS w (sku text, "expectedOnHand" integer) JOIN stock_levels l USING (sku)
      WHERE l.shop_id = p_shop AND w."expectedOnHand" <> l.on_hand;
    IF v_refused IS NOT NULL THEN
      v_code := 'stock-changed';
    ELSE
      SELECT jsonb_agg(jsonb_build_object('sku', sku, 'requested', -w.delta, 'available', l.on_hand - l.reserved) ORDER BY sku) INTO v_refused
        FROM unnest(v_skus, v_delta) AS w (sku, delta) JOIN stock_levels l USING (sku)
        WHERE l.shop_id = p_shop AND l.on_hand + w.delta < l.reserved;
      IF v_refused IS NOT NULL THEN
        v_code := CASE WHEN is_expired_in_the_way_v1(p_shop, v_skus) THEN 'expired-in-the-way' ELSE 'insufficient-stock' END;
      END IF;
    END IF;
  END IF;
  IF v_code IS NOT NULL THEN
    DELETE FROM stock_levels l USING unnest(v_made) AS made (key) WHERE l.shop_id = p_shop AND l.shop_id || '/' || l.sku = made.key AND l.sku = ANY (v_skus);
    RETURN CASE v_code WHEN 'expired-in-the-way' THEN jsonb_build_object('outcome', v_code)
      ELSE jsonb_build_object('outcome', 'refused', 'code', v_code, 'lines', coalesce(v_refused, '[]')) END;
  END IF;

  PERFORM move_levels_v1(v_shops, v_skus, v_delta, array_fill(0, ARRAY[cardinality(v_skus)]));
  INSERT INTO stock_movements (shop_id, sku, type, delta, document_type, document_id, line_key, subject)
  SELECT p_shop, sku, type, delta, p_document_type, p_document_id, "lineKey", p_subject
    FROM jsonb_to_recordset(p_lines) AS w (sku text, type text, delta integer, "lineKey" text);
  IF p_role = 'operator' THEN
    INSERT INTO privileged_acts (act, target, detail, subject, role)
    VALUES ('record-movements', p_document_type || ':' || p_document_id, jsonb_build_object('shopId', p_shop, 'lines', jsonb_array_length(p_lines)), p_subject, p_role);
  END IF;
  RETURN jsonb_build_object('outcome', 'recorded', 'document', stock_document_v1(p_shop, p_document_type, p_document_id));
END $$;

-- A booked document as the API shows it, with the levels as they are now.
CREATE FUNCTION stock_document_v1(p_shop text, p_document_type text, p_document_id text) RETURNS jsonb LANGUAGE plpgsql AS $$
BEGIN
  RETURN (
    SELECT jsonb_build_object('shopId', p_shop, 'documentType', p_document_type, 'documentId', p_document_id, 'movements',
      jsonb_agg(jsonb_build_object('movementId', m.id, 'sku', m.sku, 'type', lower(m.type), 'delta', m.delta, 'lineKey', m.line_key,
        'occurredAt', instant_v1(m.occurred_at), 'onHand', l.on_hand, 'reserved', l.reserved) ORDER BY m.id))
    FROM stock_movements m JOIN stock_levels l USING (shop_id, sku)
    WHERE m.document_type = p_document_type AND m.document_id = p_document_id AND m.shop_id = p_shop);
END $$;

-- Changes what people may change of a product, if its version is p_version. Outcomes: done, stale, not-found.
CREATE FUNCTION change_product_v1(p_sku text, p_version integer, p_name text, p_is_active boolean, p_subject text, p_role text) RETURNS jsonb LANGUAGE plpgsql AS $$
DECLARE
  p products;
BEGIN
  SELECT * INTO p FROM products WHERE sku = p_sku FOR NO KEY UPDATE;
  IF NOT FOUND THEN
    RETURN jsonb_build_object('outcome', 'not-found');
  END IF;
  IF p.version <> p_version THEN
    RETURN jsonb_build_object('outcome', 'stale');
  END IF;
  UPDATE products SET name = coalesce(p_name, name), is_active = coalesce(p_is_active, is_active), version = version + 1, changed_at = clock_timestamp()
    WHERE sku = p_sku RETURNING * INTO p;
  INSERT INTO pending_changes (topic, key, payload, changed_at) VALUES ('PRODUCT', p.sku, product_v1(p), p.changed_at);
  INSERT INTO privileged_acts (act, target, detail, subject, role)
  VALUES ('change-product', 'product:' || p.sku, jsonb_strip_nulls(jsonb_build_object('name', p_name, 'isActive', p_is_active)), p_subject, p_role);
  RETURN jsonb_build_object('outcome', 'done', 'product', product_v1(p), 'version', p.version);
END $$;

-- A product as the API and the feed show it.
CREATE FUNCTION product_v1(p products) RETURNS jsonb LANGUAGE sql STABLE AS $$
  SELECT jsonb_build_object('sku', p.sku, 'gtin', p.gtin, 'name', p.name, 'itemGroup', p.item_group, 'isSerialised', p.is_serialised,
    'isActive', p.is_active, 'changedAt', instant_v1(p.changed_at))
$$;

-- A shop as the API and the feed show it.
CREATE FUNCTION shop_v1(s shops) RETURNS jsonb LANGUAGE sql STABLE AS $$
  SELECT jsonb_build_object('shopId', s.id, 'gln', s.gln, 'name', s.name, 'country', s.country, 'address', s.address, 'postalCode', s.postal_code,
    'city', s.city, 'latitude', s.latitude, 'longitude', s.longitude, 'timeZone', s.time_zone, 'status', s.status, 'seller', s.seller,
    'sellerNumber', s.seller_number)
$$;

-- Imports write by natural key and answer, for each row in its order, accepted, unchanged or the code it is refused with.
-- Imports of one kind write one after the other, which the lock sees to: a GTIN must not come to two products from two files at once.
CREATE FUNCTION import_products_v1(p_rows jsonb) RETURNS text[] LANGUAGE plpgsql AS $$
DECLARE
  v_refused integer[];
  v_accepted text[];
BEGIN
  PERFORM pg_advisory_xact_lock(hashtext('import products'));
  SELECT coalesce(array_agg(w.at), '{}') INTO v_refused FROM jsonb_to_recordset(p_rows) AS w (at integer, sku text, gtin text)
    WHERE EXISTS (SELECT FROM products p WHERE p.gtin = w.gtin AND p.sku <> w.sku)
      OR EXISTS (SELECT FROM jsonb_to_recordset(p_rows) AS o (at integer, gtin text) WHERE o.gtin = w.gtin AND o.at < w.at);
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

CREATE FUNCTION import_shops_v1(p_rows jsonb) RETURNS text[] LANGUAGE plpgsql AS $$
DECLARE
  v_refused integer[];
  v_accepted text[];
BEGIN
  PERFORM pg_advisory_xact_lock(hashtext('import shops'));
  SELECT coalesce(array_agg(w.at), '{}') INTO v_refused FROM jsonb_to_recordset(p_rows) AS w (at integer, "shopId" text, gln text)
    WHERE EXISTS (SELECT FROM shops s WHERE s.gln = w.gln AND s.id <> w."shopId")
      OR EXISTS (SELECT FROM jsonb_to_recordset(p_rows) AS o (at integer, gln text) WHERE o.gln = w.gln AND o.at < w.at);
  WITH written AS (
    INSERT INTO shops AS s (id, gln, name, country, address, postal_code, city, latitude, longitude, time_zone, status, seller, seller_number, changed_at)
    SELECT "shopId", gln, name, country, address, "postalCode", city, latitude, longitude, "timeZone", status, seller, "sellerNumber", clock_timestamp()
      FROM jsonb_to_recordset(p_rows) AS w (at integer, "shopId" text, gln text, name text, country text, address text, "postalCode" text, city text,
        latitude double precision, longitude double precision, "timeZone" text, status text, seller text, "sellerNumber" text)
      WHERE at <> ALL (v_refused) ORDER BY "shopId"
    ON CONFLICT (id) DO UPDATE
      SET gln = excluded.gln, name = excluded.name, country = excluded.country, address = excluded.address, postal_code = excluded.postal_code,
        city = excluded.city, latitude = excluded.latitude, longitude = excluded.longitude, time_zone = excluded.time_zone,
        status = excluded.status, seller = excluded.seller, seller_number = excluded.seller_number, version = s.version + 1, changed_at = clock_timestamp()
      WHERE (s.gln, s.name, s.country, s.address, s.postal_code, s.city, s.latitude, s.longitude, s.time_zone, s.status, s.seller,
          s.seller_number)
        IS DISTINCT FROM (excluded.gln, excluded.name, excluded.country, excluded.address, excluded.postal_code, excluded.city,
          excluded.latitude, excluded.longitude, excluded.time_zone, excluded.status, excluded.seller, excluded.seller_number)
    RETURNING s AS shop
  ), changed AS (
    INSERT INTO pending_changes (topic, key, payload, changed_at)
    SELECT 'SHOP', (shop).id, shop_v1(shop), (shop).changed_at FROM written
  )
  SELECT coalesce(array_agg((shop).id), '{}') INTO v_accepted FROM written;
  RETURN (SELECT array_agg(CASE WHEN at = ANY (v_refused) THEN 'gln-taken' WHEN "shopId" = ANY (v_accepted) THEN 'accepted' ELSE 'unchanged' END ORDER BY at)
    FROM jsonb_to_recordset(p_rows) AS w (at integer, "shopId" text));
END $$;

-- Opening stock is booked once for a shop and product, however often the file comes; a row of zero only makes the level known.
-- Refused with unknown-shop, unknown-item, or already-booked where it was booked with another quantity. Pairs are told apart by the caller.
CREATE FUNCTION import_opening_stock_v1(p_rows jsonb, p_subject text) RETURNS text[] LANGUAGE plpgsql AS $$
DECLARE
  v_shops text[];
  v_skus text[];
  v_made text[];
  v_outcomes text[];
  v_quantities integer[];
BEGIN
  SELECT array_agg(w."shopId"), array_agg(w.sku) INTO v_shops, v_skus FROM jsonb_to_recordset(p_rows) AS w ("shopId" text, sku text)
    JOIN shops s ON s.id = w."shopId" JOIN products p ON p.sku = w.sku;
  v_made := ensure_levels_v1(v_shops, v_skus);
  SELECT array_agg(CASE
      WHEN NOT EXISTS (SELECT FROM shops s WHERE s.id = w."shopId") THEN 'unknown-shop'
      WHEN NOT EXISTS (SELECT FROM products p WHERE p.sku = w.sku) THEN 'unknown-item'
      WHEN m.delta <> w.quantity THEN 'already-booked'
      WHEN m.delta = w.quantity THEN 'unchanged'
      WHEN w.quantity = 0 AND w."shopId" || '/' || w.sku <> ALL (v_made) THEN 'unchanged'
      ELSE 'accepted' END ORDER BY w.at)
    INTO v_outcomes
    FROM jsonb_to_recordset(p_rows) AS w (at integer, "shopId" text, sku text, quantity integer)
    LEFT JOIN stock_movements m ON (m.document_type, m.document_id, m.shop_id, m.sku, m.type, m.line_key)
      = ('opening-stock', w."shopId", w."shopId", w.sku, 'OPENING', '');
  SELECT array_agg(w."shopId"), array_agg(w.sku), array_agg(w.quantity) INTO v_shops, v_skus, v_quantities
    FROM jsonb_to_recordset(p_rows) AS w (at integer, "shopId" text, sku text, quantity integer) WHERE v_outcomes[w.at] = 'accepted';
  IF v_skus IS NOT NULL THEN
    PERFORM move_levels_v1(v_shops, v_skus, v_quantities, array_fill(0, ARRAY[cardinality(v_skus)]));
    INSERT INTO stock_movements (shop_id, sku, type, delta, document_type, document_id, subject)
    SELECT shop_id, sku, 'OPENING', quantity, 'opening-stock', shop_id, p_subject
      FROM unnest(v_shops, v_skus, v_quantities) AS w (shop_id, sku, quantity) WHERE quantity > 0;
  END IF;
  RETURN v_outcomes;
END $$;

-- Gives committed changes their numbers, at most p_limit, and answers where the feed stands. It writes nothing where nothing is pending.
-- `as_of`: whatever was committed before this instant has a number now, provided that `is_drained`.
-- The timeline tells a restored or promoted server, whose log may lack numbers that were handed out, from the one before it.
CREATE FUNCTION sequence_changes_v1(p_limit integer, OUT epoch text, OUT last_seq bigint, OUT pruned_through bigint, OUT sequenced integer, OUT is_drained boolean, OUT as_of timestamptz)
LANGUAGE plpgsql AS $$
BEGIN
  -- One at a time, or numbers would become visible in another order than they were given.
  PERFORM pg_advisory_xact_lock(hashtext('sequence changes'));
  as_of := clock_timestamp();
  sequenced := 0;
  -- By the index, and not from the first page on: that one is full of what was numbered already.
  IF (SELECT min(id) FROM pending_changes) IS NOT NULL THEN
    WITH taken AS (
      DELETE FROM pending_changes WHERE id IN (SELECT id FROM pending_changes ORDER BY id LIMIT p_limit) RETURNING *
    )
    INSERT INTO stock_changes (seq, topic, key, payload, changed_at)
    SELECT (SELECT f.last_seq FROM feed f) + row_number() OVER (ORDER BY id), topic, key, payload, changed_at FROM taken;
    GET DIAGNOSTICS sequenced = ROW_COUNT;
    UPDATE feed f SET last_seq = f.last_seq + sequenced WHERE sequenced > 0;
  END IF;
  is_drained := sequenced < p_limit;
  SELECT f.epoch || ':' || substr(pg_walfile_name(pg_current_wal_lsn()), 1, 8), f.last_seq, f.pruned_through INTO epoch, last_seq, pruned_through FROM feed f;
END $$;

-- Forgets changes older than p_retain_ms, oldest first, at most p_limit; answers how many.
CREATE FUNCTION prune_changes_v1(p_retain_ms bigint, p_limit integer) RETURNS integer LANGUAGE plpgsql AS $$
DECLARE
  v_through bigint;
  v_pruned integer;
BEGIN
  PERFORM pg_advisory_xact_lock(hashtext('sequence changes'));
  SELECT max(seq) INTO v_through FROM (SELECT seq, changed_at FROM stock_changes ORDER BY seq LIMIT p_limit) AS oldest
    WHERE changed_at < clock_timestamp() - p_retain_ms * interval '1 millisecond';
  DELETE FROM stock_changes WHERE seq <= v_through;
  GET DIAGNOSTICS v_pruned = ROW_COUNT;
  UPDATE feed SET pruned_through = v_through WHERE v_pruned > 0;
  RETURN v_pruned;
END $$;

-- Levels that are not the sum of their movements, or whose `reserved` is not the sum of open reservations; one snapshot of all.
CREATE FUNCTION audit_levels_v1() RETURNS jsonb LANGUAGE plpgsql AS $$
BEGIN
  RETURN (
    WITH moved AS (SELECT shop_id, sku, sum(delta) AS on_hand FROM stock_movements GROUP BY shop_id, sku),
    held AS (
      SELECT r.shop_id, l.sku, sum(l.quantity) AS reserved FROM reservations r JOIN reservation_lines l ON l.reservation_id = r.id
      WHERE r.state IN ('ACTIVE', 'FIRM') GROUP BY r.shop_id, l.sku),
    compared AS (
      SELECT shop_id, sku, coalesce(v.on_hand, 0) AS on_hand, coalesce(v.reserved, 0) AS reserved,
        coalesce(m.on_hand, 0) AS moved, coalesce(h.reserved, 0) AS held
      FROM stock_levels v FULL JOIN moved m USING (shop_id, sku) FULL JOIN held h USING (shop_id, sku)),
    violations AS (
      SELECT c.shop_id, c.sku, p.problem, c.on_hand, c.reserved, c.moved, c.held FROM compared c, LATERAL (VALUES
        ('on-hand-is-not-the-sum-of-movements', c.on_hand <> c.moved),
        ('reserved-is-not-the-sum-of-reservations', c.reserved <> c.held),
        ('negative', c.on_hand < 0 OR c.reserved < 0 OR c.reserved > c.on_hand)) AS p (problem, is_so) WHERE p.is_so)
    SELECT jsonb_build_object(
      'checkedLevels', (SELECT count(*) FROM compared),
      'violations', (SELECT coalesce(jsonb_agg(jsonb_build_object('shopId', shop_id, 'sku', sku, 'problem', problem, 'onHand', on_hand, 'reserved', reserved,
        'movements', moved, 'reservations', held) ORDER BY shop_id, sku), '[]') FROM (SELECT * FROM violations ORDER BY shop_id, sku LIMIT 1000) AS first)));
END $$;
