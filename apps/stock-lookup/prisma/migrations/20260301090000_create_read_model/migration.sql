-- A copy of inventory's rows. There are no foreign keys and no checks: what is right is inventory's to decide, and a copy that
-- refused a row would stand still.

CREATE TABLE products (
  sku text PRIMARY KEY,
  gtin text NOT NULL,
  name text NOT NULL,
  item_group text NOT NULL,
  is_serialised boolean NOT NULL,
  is_active boolean NOT NULL,
  search_text text COLLATE "C" NOT NULL,
  seq bigint NOT NULL
);
CREATE INDEX products_search_text ON products (search_text);

CREATE TABLE shops (
  id text PRIMARY KEY,
  gln text NOT NULL,
  name text NOT NULL,
  country text NOT NULL,
  address text NOT NULL,
  postal_code text NOT NULL,
  city text NOT NULL,
  latitude double precision NOT NULL,
  longitude double precision NOT NULL,
  time_zone text NOT NULL,
  status text NOT NULL,
  seq bigint NOT NULL
);

-- A lookup reads all shops of one product: the key begins with the product. Updates stay on their page.
CREATE TABLE levels (
  sku text NOT NULL,
  shop_id text NOT NULL,
  on_hand integer NOT NULL,
  reserved integer NOT NULL,
  seq bigint NOT NULL,
  PRIMARY KEY (sku, shop_id)
) WITH (fillfactor = 80);

CREATE TABLE feed_position (
  id boolean PRIMARY KEY DEFAULT true CHECK (id),
  epoch text,
  seq bigint NOT NULL DEFAULT 0,
  as_of timestamptz
);
INSERT INTO feed_position DEFAULT VALUES;

-- Stores a batch of the feed, the range (p_after, p_through] of p_epoch, and answers whether it fits on what is stored.
-- The position row is locked first, so that of several replicas one stores a change and the others find it stored; rows, seq and
-- epoch commit together. Within the arguments a row stands once, with its last state in the batch.
CREATE FUNCTION apply_feed_v1(
  p_epoch text, p_after bigint, p_through bigint, p_as_of timestamptz,
  p_products jsonb, p_shops jsonb,
  p_skus text[], p_shop_ids text[], p_on_hand integer[], p_reserved integer[], p_seqs bigint[]
) RETURNS boolean LANGUAGE plpgsql AS $$
DECLARE
  here feed_position;
BEGIN
  SELECT * INTO here FROM feed_position FOR UPDATE;
  IF here.epoch IS DISTINCT FROM p_epoch OR here.seq < p_after THEN
    RETURN false;
  END IF;
  IF here.seq < p_through THEN
    INSERT INTO products (sku, gtin, name, item_group, is_serialised, is_active, search_text, seq)
      SELECT r.* FROM jsonb_to_recordset(p_products) AS r(sku text, gtin text, name text, item_group text, is_serialised boolean,
        is_active boolean, search_text text, seq bigint)
      WHERE r.seq > here.seq
      ON CONFLICT (sku) DO UPDATE SET gtin = excluded.gtin, name = excluded.name, item_group = excluded.item_group,
        is_serialised = excluded.is_serialised, is_active = excluded.is_active, search_text = excluded.search_text,
        seq = excluded.seq;
    INSERT INTO shops (id, gln, name, country, address, postal_code, city, latitude, longitude, time_zone, status, seq)
      SELECT r.* FROM jsonb_to_recordset(p_shops) AS r(id text, gln text, name text, country text, address text, postal_code text,
        city text, latitude double precision, longitude double precision, time_zone text, status text, seq bigint)
      WHERE r.seq > here.seq
      ON CONFLICT (id) DO UPDATE SET gln = excluded.gln, name = excluded.name, country = excluded.country,
        address = excluded.address, postal_code = excluded.postal_code, city = excluded.city, latitude = excluded.latitude,
        longitude = excluded.longitude, time_zone = excluded.time_zone, status = excluded.status, seq = excluded.seq;
    INSERT INTO levels (sku, shop_id, on_hand, reserved, seq)
      SELECT r.* FROM unnest(p_skus, p_shop_ids, p_on_hand, p_reserved, p_seqs) AS r(sku, shop_id, on_hand, reserved, seq)
      WHERE r.seq > here.seq
      ON CONFLICT (sku, shop_id) DO UPDATE SET on_hand = excluded.on_hand, reserved = excluded.reserved, seq = excluded.seq;
  END IF;
  UPDATE feed_position SET seq = greatest(here.seq, p_through), as_of = greatest(here.as_of, p_as_of);
  RETURN true;
END $$;
