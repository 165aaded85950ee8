CREATE TABLE "usage_monthly" (
	"month" date NOT NULL,
	"scope" text NOT NULL,
	"scope_id" text NOT NULL,
	"platform" text NOT NULL,
	"model" text NOT NULL,
	"requests" bigint DEFAULT 0 NOT NULL,
	"completed_requests" bigint DEFAULT 0 NOT NULL,
	"failed_requests" bigint DEFAULT 0 NOT NULL,
	"cache_hit_requests" bigint DEFAULT 0 NOT NULL,
	"unpriced_requests" bigint DEFAULT 0 NOT NULL,
	"input_tokens" bigint DEFAULT 0 NOT NULL,
	"output_tokens" bigint DEFAULT 0 NOT NULL,
	"cache_read_tokens" bigint DEFAULT 0 NOT NULL,
	"cache_write_5m_tokens" bigint DEFAULT 0 NOT NULL,
	"cache_write_1h_tokens" bigint DEFAULT 0 NOT NULL,
	"reasoning_tokens" bigint DEFAULT 0 NOT NULL,
	"cost_nano" bigint DEFAULT 0 NOT NULL,
	"cache_read_cost_nano" bigint DEFAULT 0 NOT NULL,
	"cache_write_cost_nano" bigint DEFAULT 0 NOT NULL,
	"cache_saving_nano" bigint DEFAULT 0 NOT NULL,
	"cache_surcharge_nano" bigint DEFAULT 0 NOT NULL,
	"charged_nano" bigint DEFAULT 0 NOT NULL,
	"upstream_cost_nano" bigint DEFAULT 0 NOT NULL,
	"duration_ms" bigint DEFAULT 0 NOT NULL,
	"first_token_ms" bigint DEFAULT 0 NOT NULL,
	"first_token_requests" bigint DEFAULT 0 NOT NULL,
	CONSTRAINT "usage_monthly_scope_scope_id_month_platform_model_pk" PRIMARY KEY("scope","scope_id","month","platform","model")
);
--> statement-breakpoint
ALTER TABLE "usage_records" ADD COLUMN "cache_saving_nano" bigint DEFAULT 0 NOT NULL;--> statement-breakpoint
ALTER TABLE "usage_records" ADD COLUMN "cache_surcharge_nano" bigint DEFAULT 0 NOT NULL;--> statement-breakpoint
ALTER TABLE "usage_daily" ADD COLUMN "cache_saving_nano" bigint DEFAULT 0 NOT NULL;--> statement-breakpoint
ALTER TABLE "usage_daily" ADD COLUMN "cache_surcharge_nano" bigint DEFAULT 0 NOT NULL;--> statement-breakpoint
ALTER TABLE "usage_hourly" ADD COLUMN "cache_saving_nano" bigint DEFAULT 0 NOT NULL;--> statement-breakpoint
ALTER TABLE "usage_hourly" ADD COLUMN "cache_surcharge_nano" bigint DEFAULT 0 NOT NULL;--> statement-breakpoint
CREATE INDEX "usage_monthly_time" ON "usage_monthly" USING btree ("scope","month");
--> statement-breakpoint
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
CREATE INDEX "usage_daily_time" ON "usage_daily" USING btree ("scope","day");--> statement-breakpoint
CREATE TABLE "usage_monthly_scoped" (LIKE "usage_monthly" INCLUDING DEFAULTS) PARTITION BY LIST ("scope");--> statement-breakpoint
CREATE TABLE "usage_monthly_all" PARTITION OF "usage_monthly_scoped" FOR VALUES IN ('all') WITH (fillfactor = 70);--> statement-breakpoint
CREATE TABLE "usage_monthly_user" PARTITION OF "usage_monthly_scoped" FOR VALUES IN ('user') WITH (fillfactor = 70);--> statement-breakpoint
CREATE TABLE "usage_monthly_key" PARTITION OF "usage_monthly_scoped" FOR VALUES IN ('key') WITH (fillfactor = 70);--> statement-breakpoint
CREATE TABLE "usage_monthly_account" PARTITION OF "usage_monthly_scoped" FOR VALUES IN ('account') WITH (fillfactor = 70);--> statement-breakpoint
CREATE TABLE "usage_monthly_group" PARTITION OF "usage_monthly_scoped" FOR VALUES IN ('group') WITH (fillfactor = 70);--> statement-breakpoint
CREATE TABLE "usage_monthly_other" PARTITION OF "usage_monthly_scoped" DEFAULT WITH (fillfactor = 70);--> statement-breakpoint
-- By hand: the months of the days that are there.
INSERT INTO "usage_monthly_scoped" ("month", "scope", "scope_id", "platform", "model", "requests", "completed_requests", "failed_requests", "cache_hit_requests", "unpriced_requests", "input_tokens", "output_tokens", "cache_read_tokens", "cache_write_5m_tokens", "cache_write_1h_tokens", "reasoning_tokens", "cost_nano", "cache_read_cost_nano", "cache_write_cost_nano", "cache_saving_nano", "cache_surcharge_nano", "charged_nano", "upstream_cost_nano", "duration_ms", "first_token_ms", "first_token_requests")
SELECT date_trunc('month', "day")::date, "scope", "scope_id", "platform", "model", sum("requests"), sum("completed_requests"), sum("failed_requests"), sum("cache_hit_requests"), sum("unpriced_requests"), sum("input_tokens"), sum("output_tokens"), sum("cache_read_tokens"), sum("cache_write_5m_tokens"), sum("cache_write_1h_tokens"), sum("reasoning_tokens"), sum("cost_nano"), sum("cache_read_cost_nano"), sum("cache_write_cost_nano"), sum("cache_saving_nano"), sum("cache_surcharge_nano"), sum("charged_nano"), sum("upstream_cost_nano"), sum("duration_ms"), sum("first_token_ms"), sum("first_token_requests") FROM "usage_daily" GROUP BY 1, 2, 3, 4, 5;--> statement-breakpoint
DROP TABLE "usage_monthly";--> statement-breakpoint
ALTER TABLE "usage_monthly_scoped" RENAME TO "usage_monthly";--> statement-breakpoint
ALTER TABLE "usage_monthly" ADD CONSTRAINT "usage_monthly_scope_scope_id_month_platform_model_pk" PRIMARY KEY("scope","scope_id","month","platform","model");--> statement-breakpoint
CREATE INDEX "usage_monthly_time" ON "usage_monthly" USING btree ("scope","month");
