ALTER TABLE "usage_records" ADD COLUMN "cache_saving_nano" bigint DEFAULT 0 NOT NULL;--> statement-breakpoint
ALTER TABLE "usage_records" ADD COLUMN "cache_surcharge_nano" bigint DEFAULT 0 NOT NULL;--> statement-breakpoint
ALTER TABLE "usage_daily" ADD COLUMN "cache_saving_nano" bigint DEFAULT 0 NOT NULL;--> statement-breakpoint
ALTER TABLE "usage_daily" ADD COLUMN "cache_surcharge_nano" bigint DEFAULT 0 NOT NULL;--> statement-breakpoint
ALTER TABLE "usage_hourly" ADD COLUMN "cache_saving_nano" bigint DEFAULT 0 NOT NULL;--> statement-breakpoint
ALTER TABLE "usage_hourly" ADD COLUMN "cache_surcharge_nano" bigint DEFAULT 0 NOT NULL;--> statement-breakpoint
-- By hand: a table of its own for each scope. The sums over all, which most reports read, lay among a hundred times as many rows of users and keys.
CREATE TABLE "usage_hourly_scoped" (LIKE "usage_hourly" INCLUDING DEFAULTS) PARTITION BY LIST ("scope");--> statement-breakpoint
CREATE TABLE "usage_hourly_all" PARTITION OF "usage_hourly_scoped" FOR VALUES IN ('all') WITH (fillfactor = 70);--> statement-breakpoint
CREATE TABLE "usage_hourly_user" PARTITION OF "usage_hourly_scoped" FOR VALUES IN ('user') WITH (fillfactor = 70);--> statement-breakpoint
CREATE TABLE "usage_hourly_key" PARTITION OF "usage_hourly_scoped" FOR VALUES IN ('key') WITH (fillfactor = 70);--> statement-breakpoint
CREATE TABLE "usage_hourly_account" PARTITION OF "usage_hourly_scoped" FOR VALUES IN ('account') WITH (fillfactor = 70);--> statement-breakpoint
CREATE TABLE "usage_hourly_group" PARTITION OF "usage_hourly_scoped" FOR VALUES IN ('group') WITH (fillfactor = 70);--> statement-breakpoint
CREATE TABLE "usage_hourly_other" PARTITION OF "usage_hourly_scoped" DEFAULT WITH (fillfactor = 70);--> statement-breakpoint
INSERT INTO "usage_hourly_scoped" SELECT * FROM "usage_hourly" ORDER BY "scope", "hour";--> statement-breakpoint
DROP TABLE "usage_hourly";--> statement-breakpoint
ALTER TABLE "usage_hourly_scoped" RENAME TO "usage_hourly";--> statement-breakpoint
ALTER TABLE "usage_hourly" ADD CONSTRAINT "usage_hourly_scope_scope_id_hour_platform_model_pk" PRIMARY KEY("scope","scope_id","hour","platform","model");--> statement-breakpoint
CREATE INDEX "usage_hourly_time" ON "usage_hourly" USING btree ("scope","hour");--> statement-breakpoint
CREATE TABLE "usage_daily_scoped" (LIKE "usage_daily" INCLUDING DEFAULTS) PARTITION BY LIST ("scope");--> statement-breakpoint
CREATE TABLE "usage_daily_all" PARTITION OF "usage_daily_scoped" FOR VALUES IN ('all') WITH (fillfactor = 70);--> statement-breakpoint
CREATE TABLE "usage_daily_user" PARTITION OF "usage_daily_scoped" FOR VALUES IN ('user') WITH (fillfactor = 70);--> statement-breakpoint
CREATE TABLE "usage_daily_key" PARTITION OF "usage_daily_scoped" FOR VALUES IN ('key') WITH (fillfactor = 70);--> statement-breakpoint
CREATE TABLE "usage_daily_account" PARTITION OF "usage_daily_scoped" FOR VALUES IN ('account') WITH (fillfactor = 70);--> statement-breakpoint
CREATE TABLE "usage_daily_group" PARTITION OF "usage_daily_scoped" FOR VALUES IN ('group') WITH (fillfactor = 70);--> statement-breakpoint
CREATE TABLE "usage_daily_other" PARTITION OF "usage_daily_scoped" DEFAULT WITH (fillfactor = 70);--> statement-breakpoint
INSERT INTO "usage_daily_scoped" SELECT * FROM "usage_daily" ORDER BY "scope", "day";--> statement-breakpoint
DROP TABLE "usage_daily";--> statement-breakpoint
ALTER TABLE "usage_daily_scoped" RENAME TO "usage_daily";--> statement-breakpoint
ALTER TABLE "usage_daily" ADD CONSTRAINT "usage_daily_scope_scope_id_day_platform_model_pk" PRIMARY KEY("scope","scope_id","day","platform","model");--> statement-breakpoint
CREATE INDEX "usage_daily_time" ON "usage_daily" USING btree ("scope","day");
