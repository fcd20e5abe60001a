-- What every service's database has: recorded answers, and a way for one statement to refuse itself.

CREATE TABLE idempotency_keys (
  scope text PRIMARY KEY,
  fingerprint text NOT NULL,
  -- NULL while a multi-step write is under way.
  status integer,
  answer text,
  -- What a multi-step write works on, so that a repeated request can resume it.
  subject text,
  created_at timestamptz NOT NULL DEFAULT now(),
  expires_at timestamptz NOT NULL
);
CREATE INDEX idempotency_keys_expires_at ON idempotency_keys (expires_at);

-- Rolls the calling statement back with SQLSTATE KA001 and the reason as its message, unless ok is true.
CREATE FUNCTION kassa_expect(ok boolean, reason text) RETURNS boolean LANGUAGE plpgsql AS $$
BEGIN
  IF ok IS NOT TRUE THEN
    RAISE EXCEPTION USING ERRCODE = 'KA001', MESSAGE = reason;
  END IF;
  RETURN true;
END $$;

-- One payment: what is to be paid, and what its transactions add up to.
CREATE TABLE payment_intents (
  id uuid PRIMARY KEY,
  -- What is paid for, such as sale:<id>.
  reference text NOT NULL,
  country text NOT NULL,
  channel text NOT NULL CHECK (channel IN ('store', 'web')),
  -- The shop whose money it is; NULL for the web shop.
  shop_id text,
  -- NULL until someone tries to pay.
  method text CHECK (method IN ('cash', 'terminal', 'online')),
  capture_mode text NOT NULL CHECK (capture_mode IN ('automatic', 'manual')),
  amount_minor bigint NOT NULL CHECK (amount_minor >= 0),
  currency char(3) NOT NULL,
  authorise_pending_minor bigint NOT NULL DEFAULT 0 CHECK (authorise_pending_minor >= 0),
  authorised_minor bigint NOT NULL DEFAULT 0 CHECK (authorised_minor >= 0),
  capture_pending_minor bigint NOT NULL DEFAULT 0 CHECK (capture_pending_minor >= 0),
  captured_minor bigint NOT NULL DEFAULT 0 CHECK (captured_minor >= 0),
  void_pending_minor bigint NOT NULL DEFAULT 0 CHECK (void_pending_minor >= 0),
  voided_minor bigint NOT NULL DEFAULT 0 CHECK (voided_minor >= 0),
  refund_pending_minor bigint NOT NULL DEFAULT 0 CHECK (refund_pending_minor >= 0),
  refunded_minor bigint NOT NULL DEFAULT 0 CHECK (refunded_minor >= 0),
  unknown_count integer NOT NULL DEFAULT 0 CHECK (unknown_count >= 0),
  declined_count integer NOT NULL DEFAULT 0,
  canceled_at timestamptz,
  expired_at timestamptz,
  integrity_failed_at timestamptz,
  -- When what is authorised can no longer be captured.
  expires_at timestamptz,
  -- The authorisation or purchase that succeeded.
  original_id uuid,
  -- Kept by a trigger, from the columns above.
  status text NOT NULL,
  version integer NOT NULL DEFAULT 1,
  created_by text NOT NULL,
  created_at timestamptz NOT NULL DEFAULT now(),
  -- At most one attempt to pay is under way or has succeeded.
  CONSTRAINT paid_at_most_once CHECK (authorise_pending_minor + authorised_minor <= amount_minor),
  -- Captured, voided and both under way never exceed what is authorised; refunds never exceed what is captured.
  CONSTRAINT captured_within_authorised CHECK (captured_minor + capture_pending_minor + voided_minor + void_pending_minor <= authorised_minor),
  CONSTRAINT refunded_within_captured CHECK (refunded_minor + refund_pending_minor <= captured_minor)
);
CREATE INDEX payment_intents_reference ON payment_intents (reference, id);
CREATE INDEX payment_intents_expiring ON payment_intents (expires_at) WHERE expires_at IS NOT NULL AND expired_at IS NULL;

-- Each movement of money: written down before the provider hears of it, final once its outcome is known.
CREATE TABLE transactions (
  id uuid PRIMARY KEY,
  intent_id uuid NOT NULL REFERENCES payment_intents (id),
  kind text NOT NULL CHECK (kind IN ('AUTHORISE', 'CAPTURE', 'PURCHASE', 'VOID', 'REFUND')),
  status text NOT NULL CHECK (status IN ('INIT', 'SUCCEEDED', 'DECLINED', 'FAILED', 'UNKNOWN')),
  amount_minor bigint NOT NULL CHECK (amount_minor > 0),
  currency char(3) NOT NULL,
  method text NOT NULL,
  channel text NOT NULL,
  instrument text NOT NULL,
  -- The authorisation or purchase a later step belongs to; the provider knows it by this id.
  original_id uuid,
  -- Of the command that asked for it: the same id with other content is another command.
  fingerprint text NOT NULL,
  decline_code text,
  authorisation_code text,
  card_label text,
  provider_ref text,
  note text,
  -- How often a worker took it on to tell the provider. What one learned counts only while no other has taken it on since.
  sends integer NOT NULL DEFAULT 1,
  -- How often the provider was asked what became of it.
  attempts integer NOT NULL DEFAULT 0,
  -- Until then a worker is at it.
  lease_until timestamptz,
  -- From then on nothing of ours is under way to the provider any more.
  quiet_from timestamptz NOT NULL,
  -- When the provider is asked next; NULL where a person decides, and once the outcome is known.
  next_attempt_at timestamptz,
  asked_by text NOT NULL,
  asked_as text NOT NULL,
  created_at timestamptz NOT NULL DEFAULT now(),
  finished_at timestamptz
);
CREATE INDEX transactions_intent ON transactions (intent_id);
CREATE INDEX transactions_due ON transactions (next_attempt_at) WHERE next_attempt_at IS NOT NULL;
CREATE INDEX transactions_open ON transactions (id) WHERE status IN ('INIT', 'UNKNOWN');

-- What operators did by hand, and why.
CREATE TABLE audit_log (
  id uuid PRIMARY KEY,
  act text NOT NULL,
  transaction_id uuid NOT NULL REFERENCES transactions (id),
  actor text NOT NULL,
  outcome text,
  reason text,
  evidence text,
  trace_id text NOT NULL,
  at timestamptz NOT NULL DEFAULT now()
);

-- Events of providers already taken, by their own id.
CREATE TABLE provider_events (
  provider text NOT NULL,
  event_id text NOT NULL,
  transaction_id uuid,
  received_at timestamptz NOT NULL DEFAULT now(),
  PRIMARY KEY (provider, event_id)
);
CREATE INDEX provider_events_received_at ON provider_events (received_at);

-- Where a payment stands, by what its transactions add up to. domain/intent.ts has the same rule in TypeScript.
CREATE FUNCTION payment_intent_status_v1(i payment_intents) RETURNS text LANGUAGE sql IMMUTABLE AS $$
  SELECT CASE
    WHEN i.integrity_failed_at IS NOT NULL THEN 'integrity_failed'
    WHEN i.unknown_count > 0 THEN 'unknown'
    WHEN i.authorise_pending_minor > 0 THEN 'processing'
    WHEN i.refunded_minor > 0 THEN
      CASE WHEN i.refunded_minor = i.captured_minor AND i.captured_minor + i.voided_minor >= i.authorised_minor THEN 'refunded' ELSE 'partially_refunded' END
    WHEN i.captured_minor > 0 THEN
      CASE WHEN i.captured_minor + i.voided_minor < i.authorised_minor THEN 'partially_captured' ELSE 'captured' END
    WHEN i.authorised_minor > 0 THEN
      CASE WHEN i.expired_at IS NOT NULL THEN 'expired' WHEN i.voided_minor < i.authorised_minor THEN 'authorised' ELSE 'voided' END
    WHEN i.canceled_at IS NOT NULL THEN 'canceled'
    WHEN i.declined_count > 0 THEN 'declined'
    ELSE 'requires_method'
  END
$$;

CREATE FUNCTION payment_intents_keep_status() RETURNS trigger LANGUAGE plpgsql AS $$
BEGIN
  NEW.status := payment_intent_status_v1(NEW);
  IF TG_OP = 'UPDATE' THEN
    NEW.version := OLD.version + 1;
  END IF;
  RETURN NEW;
END $$;
CREATE TRIGGER payment_intents_keep_status BEFORE INSERT OR UPDATE ON payment_intents
  FOR EACH ROW EXECUTE FUNCTION payment_intents_keep_status();

-- A transaction whose outcome is known is history.
CREATE FUNCTION transactions_keep_history() RETURNS trigger LANGUAGE plpgsql AS $$
BEGIN
  IF TG_OP = 'DELETE' OR OLD.status IN ('SUCCEEDED', 'DECLINED', 'FAILED') THEN
    RAISE EXCEPTION 'transaction % is final and never changes', OLD.id;
  END IF;
  IF (NEW.id, NEW.intent_id, NEW.kind, NEW.amount_minor, NEW.currency, NEW.fingerprint)
     IS DISTINCT FROM (OLD.id, OLD.intent_id, OLD.kind, OLD.amount_minor, OLD.currency, OLD.fingerprint) THEN
    RAISE EXCEPTION 'what transaction % is about never changes', OLD.id;
  END IF;
  RETURN NEW;
END $$;
CREATE TRIGGER transactions_keep_history BEFORE UPDATE OR DELETE ON transactions
  FOR EACH ROW EXECUTE FUNCTION transactions_keep_history();

CREATE FUNCTION audit_log_keep_history() RETURNS trigger LANGUAGE plpgsql AS $$
BEGIN
  RAISE EXCEPTION 'the audit log is only added to';
END $$;
CREATE TRIGGER audit_log_keep_history BEFORE UPDATE OR DELETE ON audit_log
  FOR EACH ROW EXECUTE FUNCTION audit_log_keep_history();

-- A command's answer to its caller: what became of it, and the rows as they are now.
CREATE FUNCTION payment_answer_v1(verdict text, i payment_intents, t transactions) RETURNS jsonb LANGUAGE sql STABLE AS $$
  SELECT jsonb_build_object('verdict', verdict, 'intent', to_jsonb(i), 'now', clock_timestamp(),
    'transaction', CASE WHEN t.id IS NULL THEN NULL ELSE to_jsonb(t) END)
$$;

-- Begins an authorisation or purchase, and makes its intent where that is new.
-- claimed: written down (final at once where `instant`), the caller now tells the provider.
-- seen: the same command was here before. reused: another command had this transaction id. refused: the intent's state or amount does not allow it; nothing was written.
CREATE FUNCTION begin_payment_v1(
  p_id uuid, p_intent_id uuid, p_kind text, p_amount bigint, p_currency text, p_reference text, p_country text, p_channel text, p_shop_id text,
  p_method text, p_instrument text, p_fingerprint text, p_asked_by text, p_asked_as text,
  p_instant boolean, p_allowed text[], p_lease_ms bigint, p_timeout_ms bigint
) RETURNS jsonb LANGUAGE plpgsql AS $$
DECLARE
  i payment_intents;
  t transactions;
  is_new boolean;
  pending bigint := CASE WHEN p_instant THEN 0 ELSE p_amount END;
  done bigint := p_amount - pending;
BEGIN
  INSERT INTO payment_intents (id, reference, country, channel, shop_id, method, capture_mode, amount_minor, currency,
      authorise_pending_minor, authorised_minor, captured_minor, original_id, created_by)
    VALUES (p_intent_id, p_reference, p_country, p_channel, p_shop_id, p_method,
      CASE p_kind WHEN 'AUTHORISE' THEN 'manual' ELSE 'automatic' END, p_amount, p_currency,
      pending, done, done, CASE WHEN p_instant THEN p_id END, p_asked_by)
    ON CONFLICT (id) DO NOTHING
    RETURNING * INTO i;
  is_new := FOUND;
  IF NOT is_new THEN
    SELECT * INTO i FROM payment_intents WHERE id = p_intent_id FOR UPDATE;
    SELECT * INTO t FROM transactions WHERE id = p_id;
    IF FOUND THEN
      RETURN payment_answer_v1(CASE WHEN t.fingerprint = p_fingerprint THEN 'seen' ELSE 'reused' END, i, t);
    END IF;
    IF NOT i.status = ANY (p_allowed) OR (i.amount_minor, i.currency) IS DISTINCT FROM (p_amount, p_currency::char(3)) THEN
      RETURN payment_answer_v1('refused', i, NULL);
    END IF;
  END IF;
  INSERT INTO transactions (id, intent_id, kind, status, amount_minor, currency, method, channel, instrument, fingerprint,
      lease_until, quiet_from, next_attempt_at, asked_by, asked_as, finished_at)
    VALUES (p_id, p_intent_id, p_kind, CASE WHEN p_instant THEN 'SUCCEEDED' ELSE 'INIT' END, p_amount, p_currency, p_method, p_channel,
      p_instrument, p_fingerprint, CASE WHEN NOT p_instant THEN now() + p_lease_ms * interval '1 ms' END,
      now() + p_timeout_ms * interval '1 ms', CASE WHEN NOT p_instant THEN now() + p_lease_ms * interval '1 ms' END,
      p_asked_by, p_asked_as, CASE WHEN p_instant THEN now() END)
    ON CONFLICT (id) DO NOTHING
    RETURNING * INTO t;
  -- The id belongs to a transaction of another intent; this one must not come into being.
  PERFORM kassa_expect(FOUND, 'transaction-id-reused');
  IF NOT is_new THEN
    UPDATE payment_intents SET authorise_pending_minor = authorise_pending_minor + pending, authorised_minor = authorised_minor + done,
        captured_minor = captured_minor + done, method = p_method, original_id = CASE WHEN p_instant THEN p_id END
      WHERE id = p_intent_id RETURNING * INTO i;
  END IF;
  RETURN payment_answer_v1('claimed', i, t);
END $$;

-- Begins a capture, void or refund of a payment that is there. A NULL amount means all there is.
-- claimed, seen, reused, refused as above; missing: there is no such intent.
-- canceled (voids only): there was nothing to void and the intent is closed, one never seen before included.
CREATE FUNCTION begin_follow_up_v1(
  p_id uuid, p_intent_id uuid, p_kind text, p_amount bigint, p_currency text, p_fingerprint text, p_asked_by text, p_asked_as text,
  p_allowed text[], p_instant_methods text[], p_lease_ms bigint, p_timeout_ms jsonb
) RETURNS jsonb LANGUAGE plpgsql AS $$
DECLARE
  i payment_intents;
  t transactions;
  original transactions;
  room bigint;
  amount bigint;
  is_instant boolean;
BEGIN
  SELECT * INTO i FROM payment_intents WHERE id = p_intent_id FOR UPDATE;
  IF NOT FOUND AND p_kind = 'VOID' THEN
    INSERT INTO payment_intents (id, reference, country, channel, capture_mode, amount_minor, currency, canceled_at, created_by)
      VALUES (p_intent_id, '', '', 'store', 'automatic', 0, 'XXX', now(), p_asked_by)
      ON CONFLICT (id) DO NOTHING
      RETURNING * INTO i;
    IF FOUND THEN
      RETURN payment_answer_v1('canceled', i, NULL);
    END IF;
    SELECT * INTO i FROM payment_intents WHERE id = p_intent_id FOR UPDATE;
  END IF;
  IF i.id IS NULL THEN
    RETURN payment_answer_v1('missing', NULL, NULL);
  END IF;
  SELECT * INTO t FROM transactions WHERE id = p_id;
  IF FOUND THEN
    RETURN payment_answer_v1(CASE WHEN t.fingerprint = p_fingerprint THEN 'seen' ELSE 'reused' END, i, t);
  END IF;

  room := CASE p_kind
    WHEN 'REFUND' THEN i.captured_minor - i.refunded_minor - i.refund_pending_minor
    ELSE i.authorised_minor - i.captured_minor - i.capture_pending_minor - i.voided_minor - i.void_pending_minor
  END;
  amount := COALESCE(p_amount, room);
  IF NOT i.status = ANY (p_allowed) OR (p_currency IS NOT NULL AND p_currency::char(3) <> i.currency)
     OR (p_kind = 'CAPTURE' AND i.expires_at <= now()) OR (p_kind <> 'VOID' AND (amount <= 0 OR amount > room))
     OR (p_kind = 'VOID' AND room = 0 AND i.captured_minor + i.capture_pending_minor + i.void_pending_minor > 0) THEN
    RETURN payment_answer_v1('refused', i, NULL);
  END IF;
  IF p_kind = 'VOID' AND room = 0 THEN
    IF i.authorised_minor = 0 AND i.canceled_at IS NULL THEN
      UPDATE payment_intents SET canceled_at = now() WHERE id = p_intent_id RETURNING * INTO i;
    END IF;
    RETURN payment_answer_v1('canceled', i, NULL);
  END IF;

  is_instant := i.method = ANY (p_instant_methods);
  SELECT * INTO original FROM transactions WHERE id = i.original_id;
  INSERT INTO transactions (id, intent_id, kind, status, amount_minor, currency, method, channel, instrument, original_id, fingerprint,
      lease_until, quiet_from, next_attempt_at, asked_by, asked_as, finished_at)
    VALUES (p_id, p_intent_id, p_kind, CASE WHEN is_instant THEN 'SUCCEEDED' ELSE 'INIT' END, amount, i.currency, original.method,
      original.channel, original.instrument, original.id, p_fingerprint,
      CASE WHEN NOT is_instant THEN now() + p_lease_ms * interval '1 ms' END,
      now() + (p_timeout_ms ->> original.method)::bigint * interval '1 ms',
      CASE WHEN NOT is_instant THEN now() + p_lease_ms * interval '1 ms' END,
      p_asked_by, p_asked_as, CASE WHEN is_instant THEN now() END)
    RETURNING * INTO t;
  UPDATE payment_intents SET
      capture_pending_minor = capture_pending_minor + CASE WHEN p_kind = 'CAPTURE' THEN amount ELSE 0 END,
      void_pending_minor = void_pending_minor + CASE WHEN p_kind = 'VOID' THEN amount ELSE 0 END,
      refund_pending_minor = refund_pending_minor + CASE WHEN p_kind = 'REFUND' AND NOT is_instant THEN amount ELSE 0 END,
      refunded_minor = refunded_minor + CASE WHEN p_kind = 'REFUND' AND is_instant THEN amount ELSE 0 END
    WHERE id = p_intent_id RETURNING * INTO i;
  RETURN payment_answer_v1('claimed', i, t);
END $$;

-- Writes down what became of a transaction: SUCCEEDED, DECLINED, FAILED, UNKNOWN or INTEGRITY (approved, but not what was asked for).
-- recorded: it is now so. settled: it was final before, and this does not speak against it. open: nothing new, nothing changed.
-- contradicted: it was final before, with another outcome; the intent is marked. missing: there is no such transaction.
-- p_sends is what `sends` was when FAILED or UNKNOWN was concluded; where another worker took the transaction on since, that concludes
-- nothing (open). NULL concludes regardless, and takes the mark of a failed integrity away: a person has looked and decides.
CREATE FUNCTION finish_transaction_v1(
  p_id uuid, p_sends integer, p_status text, p_decline_code text, p_authorisation_code text, p_card_label text, p_provider_ref text, p_note text,
  p_expires_after jsonb, p_retry_ms bigint
) RETURNS jsonb LANGUAGE plpgsql AS $$
DECLARE
  i payment_intents;
  t transactions;
  gained bigint;
BEGIN
  SELECT p.* INTO i FROM payment_intents p WHERE p.id = (SELECT intent_id FROM transactions WHERE id = p_id) FOR UPDATE;
  IF NOT FOUND THEN
    RETURN payment_answer_v1('missing', NULL, NULL);
  END IF;
  -- The intent's lock orders all writers of its transactions; the row is read after it was taken.
  SELECT * INTO t FROM transactions WHERE id = p_id;

  IF t.status IN ('SUCCEEDED', 'DECLINED', 'FAILED') THEN
    -- UNKNOWN and FAILED are our own conclusions, not the provider's word; and a decline of what we called failed moves no money either.
    IF p_status IN ('UNKNOWN', 'FAILED', t.status) OR (p_status = 'DECLINED' AND t.status = 'FAILED') THEN
      IF p_sends IS NULL AND p_status = t.status AND i.integrity_failed_at IS NOT NULL THEN
        UPDATE payment_intents SET integrity_failed_at = NULL WHERE id = i.id RETURNING * INTO i;
      END IF;
      RETURN payment_answer_v1('settled', i, t);
    END IF;
    UPDATE payment_intents SET integrity_failed_at = COALESCE(integrity_failed_at, now()) WHERE id = i.id RETURNING * INTO i;
    RETURN payment_answer_v1('contradicted', i, t);
  END IF;

  IF (p_status IN ('UNKNOWN', 'FAILED') AND p_sends <> t.sends) OR (p_status = 'UNKNOWN' AND t.status = 'UNKNOWN') THEN
    RETURN payment_answer_v1('open', i, t);
  END IF;

  IF p_status IN ('UNKNOWN', 'INTEGRITY') THEN
    UPDATE payment_intents SET unknown_count = unknown_count + CASE WHEN t.status = 'INIT' THEN 1 ELSE 0 END,
        integrity_failed_at = CASE WHEN p_status = 'INTEGRITY' THEN COALESCE(integrity_failed_at, now()) ELSE integrity_failed_at END
      WHERE id = i.id RETURNING * INTO i;
    UPDATE transactions SET status = 'UNKNOWN', note = p_note, provider_ref = COALESCE(p_provider_ref, provider_ref), lease_until = NULL,
        quiet_from = LEAST(quiet_from, now()),
        next_attempt_at = CASE WHEN p_status = 'UNKNOWN' THEN now() + p_retry_ms * interval '1 ms' END
      WHERE id = p_id RETURNING * INTO t;
    RETURN payment_answer_v1('recorded', i, t);
  END IF;

  gained := CASE WHEN p_status = 'SUCCEEDED' THEN t.amount_minor ELSE 0 END;
  UPDATE payment_intents SET
      authorise_pending_minor = authorise_pending_minor - CASE WHEN t.kind IN ('AUTHORISE', 'PURCHASE') THEN t.amount_minor ELSE 0 END,
      authorised_minor = authorised_minor + CASE WHEN t.kind IN ('AUTHORISE', 'PURCHASE') THEN gained ELSE 0 END,
      capture_pending_minor = capture_pending_minor - CASE WHEN t.kind = 'CAPTURE' THEN t.amount_minor ELSE 0 END,
      captured_minor = captured_minor + CASE WHEN t.kind IN ('CAPTURE', 'PURCHASE') THEN gained ELSE 0 END,
      void_pending_minor = void_pending_minor - CASE WHEN t.kind = 'VOID' THEN t.amount_minor ELSE 0 END,
      voided_minor = voided_minor + CASE WHEN t.kind = 'VOID' THEN gained ELSE 0 END,
      refund_pending_minor = refund_pending_minor - CASE WHEN t.kind = 'REFUND' THEN t.amount_minor ELSE 0 END,
      refunded_minor = refunded_minor + CASE WHEN t.kind = 'REFUND' THEN gained ELSE 0 END,
      unknown_count = unknown_count - CASE WHEN t.status = 'UNKNOWN' THEN 1 ELSE 0 END,
      declined_count = declined_count + CASE WHEN p_status = 'DECLINED' AND t.kind IN ('AUTHORISE', 'PURCHASE') THEN 1 ELSE 0 END,
      original_id = CASE WHEN p_status = 'SUCCEEDED' AND t.kind IN ('AUTHORISE', 'PURCHASE') THEN t.id ELSE original_id END,
      integrity_failed_at = CASE WHEN p_sends IS NOT NULL THEN integrity_failed_at END,
      expires_at = CASE WHEN p_status = 'SUCCEEDED' AND t.kind = 'AUTHORISE'
        THEN now() + (p_expires_after ->> t.method)::bigint * interval '1 ms' ELSE expires_at END
    WHERE id = i.id RETURNING * INTO i;
  UPDATE transactions SET status = p_status, decline_code = p_decline_code, authorisation_code = p_authorisation_code,
      card_label = p_card_label, provider_ref = COALESCE(p_provider_ref, provider_ref), note = p_note, lease_until = NULL,
      next_attempt_at = NULL, finished_at = now()
    WHERE id = p_id RETURNING * INTO t;
  RETURN payment_answer_v1('recorded', i, t);
END $$;

-- Marks authorisations that ran out of time, at most so many, and begins to void what is left of each. Answers the voids.
CREATE FUNCTION expire_authorisations_v1(p_limit integer, p_lease_ms bigint, p_timeout_ms jsonb) RETURNS SETOF jsonb LANGUAGE plpgsql AS $$
DECLARE
  i payment_intents;
  t transactions;
  original transactions;
  room bigint;
BEGIN
  FOR i IN
    SELECT * FROM payment_intents
    WHERE expires_at <= now() AND expired_at IS NULL AND unknown_count = 0 AND integrity_failed_at IS NULL
      AND capture_pending_minor = 0 AND void_pending_minor = 0
    ORDER BY expires_at LIMIT p_limit FOR UPDATE SKIP LOCKED
  LOOP
    room := i.authorised_minor - i.captured_minor - i.capture_pending_minor - i.voided_minor - i.void_pending_minor;
    IF room > 0 THEN
      SELECT * INTO original FROM transactions WHERE id = i.original_id;
      INSERT INTO transactions (id, intent_id, kind, status, amount_minor, currency, method, channel, instrument, original_id, fingerprint,
          lease_until, quiet_from, next_attempt_at, asked_by, asked_as)
        VALUES (gen_random_uuid(), i.id, 'VOID', 'INIT', room, i.currency, original.method, original.channel, original.instrument, original.id,
          'expiry', now() + p_lease_ms * interval '1 ms', now() + (p_timeout_ms ->> original.method)::bigint * interval '1 ms',
          now() + p_lease_ms * interval '1 ms', 'payments', 'service')
        RETURNING * INTO t;
    END IF;
    UPDATE payment_intents SET expired_at = now(), void_pending_minor = void_pending_minor + room WHERE id = i.id RETURNING * INTO i;
    IF room > 0 THEN
      RETURN NEXT payment_answer_v1('claimed', i, t);
    END IF;
  END LOOP;
END $$;
