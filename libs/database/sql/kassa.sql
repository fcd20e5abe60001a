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
