-- Time runs out only for what is still held. Version 1 marked what had long been taken or let go as well: a voided payment became an
-- expired one after a week, and of 20 marked a minute none may have been held while others waited.
CREATE INDEX payment_intents_held ON payment_intents (expires_at)
  WHERE expired_at IS NULL AND authorised_minor > captured_minor + voided_minor;

-- Marks authorisations that ran out of time, at most so many, and begins to void what is left of each. Answers the voids.
CREATE FUNCTION expire_authorisations_v2(p_limit integer, p_lease_ms bigint, p_timeout_ms jsonb) RETURNS SETOF jsonb LANGUAGE plpgsql AS $$
DECLARE
  i payment_intents;
  t transactions;
  original transactions;
  room bigint;
BEGIN
  FOR i IN
    SELECT * FROM payment_intents
    WHERE expires_at <= now() AND expired_at IS NULL AND authorised_minor > captured_minor + voided_minor
      AND unknown_count = 0 AND integrity_failed_at IS NULL AND capture_pending_minor = 0 AND void_pending_minor = 0
    ORDER BY expires_at LIMIT p_limit FOR UPDATE SKIP LOCKED
  LOOP
    room := i.authorised_minor - i.captured_minor - i.voided_minor;
    SELECT * INTO original FROM transactions WHERE id = i.original_id;
    INSERT INTO transactions (id, intent_id, kind, status, amount_minor, currency, method, channel, instrument, original_id, fingerprint,
        lease_until, quiet_from, next_attempt_at, asked_by, asked_as)
      VALUES (gen_random_uuid(), i.id, 'VOID', 'INIT', room, i.currency, original.method, original.channel, original.instrument, original.id,
        'expiry', now() + p_lease_ms * interval '1 ms', now() + (p_timeout_ms ->> original.method)::bigint * interval '1 ms',
        now() + p_lease_ms * interval '1 ms', 'payments', 'service')
      RETURNING * INTO t;
    UPDATE payment_intents SET expired_at = now(), void_pending_minor = void_pending_minor + room WHERE id = i.id RETURNING * INTO i;
    RETURN NEXT payment_answer_v1('claimed', i, t);
  END LOOP;
END $$;
