-- Made by drizzle-kit from src/schema; edited by hand in two places only, each marked "by hand": drizzle-kit knows neither
-- partitions nor storage parameters.
CREATE TABLE "account_groups" (
	"account_id" uuid NOT NULL,
	"group_id" uuid NOT NULL,
	CONSTRAINT "account_groups_account_id_group_id_pk" PRIMARY KEY("account_id","group_id")
);
--> statement-breakpoint
CREATE TABLE "accounts" (
	"id" uuid PRIMARY KEY NOT NULL,
	"name" text NOT NULL,
	"description" text DEFAULT '' NOT NULL,
	"platform" text NOT NULL,
	"type" text NOT NULL,
	"sealed_credentials" text NOT NULL,
	"credential_hint" jsonb DEFAULT '{}'::jsonb NOT NULL,
	"status" text DEFAULT 'active' NOT NULL,
	"schedulable" boolean DEFAULT true NOT NULL,
	"priority" integer DEFAULT 50 NOT NULL,
	"concurrency" integer DEFAULT 0 NOT NULL,
	"model_mapping" jsonb DEFAULT '{}'::jsonb NOT NULL,
	"proxy_id" uuid,
	"rate_multiplier" integer DEFAULT 1000000 NOT NULL,
	"free_tier" boolean DEFAULT false NOT NULL,
	"custom_error_codes" jsonb,
	"expires_at" timestamp (3) with time zone,
	"rate_limited_until" timestamp (3) with time zone,
	"overloaded_until" timestamp (3) with time zone,
	"unschedulable_until" timestamp (3) with time zone,
	"first_byte_timeout_ms" integer,
	"stream_idle_timeout_ms" integer,
	"request_timeout_ms" integer,
	"error_message" text,
	"extra" jsonb DEFAULT '{}'::jsonb NOT NULL,
	"created_at" timestamp (3) with time zone DEFAULT now() NOT NULL,
	"updated_at" timestamp (3) with time zone DEFAULT now() NOT NULL,
	"deleted_at" timestamp (3) with time zone
);
--> statement-breakpoint
CREATE TABLE "admin_tokens" (
	"id" uuid PRIMARY KEY NOT NULL,
	"name" text NOT NULL,
	"role" text NOT NULL,
	"token_hash" text NOT NULL,
	"token_last4" text NOT NULL,
	"expires_at" timestamp (3) with time zone,
	"last_used_at" timestamp (3) with time zone,
	"created_at" timestamp (3) with time zone DEFAULT now() NOT NULL,
	"deleted_at" timestamp (3) with time zone
);
--> statement-breakpoint
CREATE TABLE "api_keys" (
	"id" uuid PRIMARY KEY NOT NULL,
	"name" text NOT NULL,
	"description" text DEFAULT '' NOT NULL,
	"user_id" uuid,
	"group_id" uuid,
	"tags" jsonb DEFAULT '[]'::jsonb NOT NULL,
	"key_hash" text NOT NULL,
	"key_prefix" text NOT NULL,
	"key_last4" text NOT NULL,
	"previous_key_hash" text,
	"previous_key_expires_at" timestamp (3) with time zone,
	"active" boolean DEFAULT true NOT NULL,
	"expires_at" timestamp (3) with time zone,
	"expires_after_days" integer,
	"permissions" jsonb DEFAULT '["all"]'::jsonb NOT NULL,
	"token_limit" bigint DEFAULT 0 NOT NULL,
	"concurrency_limit" integer DEFAULT 0 NOT NULL,
	"rate_limit_window_minutes" integer DEFAULT 0 NOT NULL,
	"rate_limit_requests" integer DEFAULT 0 NOT NULL,
	"rate_limit_tokens" bigint DEFAULT 0 NOT NULL,
	"rate_limit_cost_nano" bigint DEFAULT 0 NOT NULL,
	"rpm" integer DEFAULT 0 NOT NULL,
	"tpm" integer DEFAULT 0 NOT NULL,
	"daily_cost_limit_nano" bigint DEFAULT 0 NOT NULL,
	"weekly_cost_limit_nano" bigint DEFAULT 0 NOT NULL,
	"total_cost_limit_nano" bigint DEFAULT 0 NOT NULL,
	"model_restriction" text DEFAULT 'off' NOT NULL,
	"models" jsonb DEFAULT '[]'::jsonb NOT NULL,
	"client_restriction" boolean DEFAULT false NOT NULL,
	"clients" jsonb DEFAULT '[]'::jsonb NOT NULL,
	"ip_allow" jsonb DEFAULT '[]'::jsonb NOT NULL,
	"ip_deny" jsonb DEFAULT '[]'::jsonb NOT NULL,
	"bound_accounts" jsonb DEFAULT '{}'::jsonb NOT NULL,
	"standalone" boolean DEFAULT false NOT NULL,
	"balance_nano" bigint DEFAULT 0 NOT NULL,
	"on_client_disconnect" text,
	"sse_keepalive_seconds" integer,
	"created_at" timestamp (3) with time zone DEFAULT now() NOT NULL,
	"updated_at" timestamp (3) with time zone DEFAULT now() NOT NULL,
	"deleted_at" timestamp (3) with time zone
);
--> statement-breakpoint
CREATE TABLE "audit_log" (
	"id" uuid PRIMARY KEY NOT NULL,
	"created_at" timestamp (3) with time zone DEFAULT now() NOT NULL,
	"actor" text NOT NULL,
	"action" text NOT NULL,
	"resource" text NOT NULL,
	"resource_id" text,
	"changes" jsonb DEFAULT '{}'::jsonb NOT NULL,
	"client_ip" text
);
--> statement-breakpoint
CREATE TABLE "group_users" (
	"group_id" uuid NOT NULL,
	"user_id" uuid NOT NULL,
	CONSTRAINT "group_users_group_id_user_id_pk" PRIMARY KEY("group_id","user_id")
);
--> statement-breakpoint
CREATE TABLE "groups" (
	"id" uuid PRIMARY KEY NOT NULL,
	"name" text NOT NULL,
	"description" text DEFAULT '' NOT NULL,
	"platform" text NOT NULL,
	"status" text DEFAULT 'active' NOT NULL,
	"billing_type" text DEFAULT 'standard' NOT NULL,
	"rate_multiplier" integer DEFAULT 1000000 NOT NULL,
	"daily_limit_nano" bigint,
	"weekly_limit_nano" bigint,
	"monthly_limit_nano" bigint,
	"exclusive" boolean DEFAULT false NOT NULL,
	"fallback_group_id" uuid,
	"is_default" boolean DEFAULT false NOT NULL,
	"created_at" timestamp (3) with time zone DEFAULT now() NOT NULL,
	"updated_at" timestamp (3) with time zone DEFAULT now() NOT NULL,
	"deleted_at" timestamp (3) with time zone
);
--> statement-breakpoint
CREATE TABLE "ledger_entries" (
	"id" uuid PRIMARY KEY NOT NULL,
	"payer" text NOT NULL,
	"payer_id" uuid NOT NULL,
	"kind" text NOT NULL,
	"amount_nano" bigint NOT NULL,
	"request_id" uuid,
	"actor" text,
	"note" text DEFAULT '' NOT NULL,
	"created_at" timestamp (3) with time zone DEFAULT now() NOT NULL,
	CONSTRAINT "ledger_entries_reference" CHECK ("ledger_entries"."request_id" is not null or "ledger_entries"."actor" is not null)
);
--> statement-breakpoint
CREATE TABLE "prices" (
	"id" uuid PRIMARY KEY NOT NULL,
	"account_id" uuid,
	"model" text NOT NULL,
	"platform" text,
	"effective_from" timestamp (3) with time zone NOT NULL,
	"rates" jsonb NOT NULL,
	"note" text DEFAULT '' NOT NULL,
	"created_at" timestamp (3) with time zone DEFAULT now() NOT NULL,
	"updated_at" timestamp (3) with time zone DEFAULT now() NOT NULL
);
--> statement-breakpoint
CREATE TABLE "proxies" (
	"id" uuid PRIMARY KEY NOT NULL,
	"name" text NOT NULL,
	"url" text NOT NULL,
	"sealed_credentials" text,
	"status" text DEFAULT 'active' NOT NULL,
	"created_at" timestamp (3) with time zone DEFAULT now() NOT NULL,
	"updated_at" timestamp (3) with time zone DEFAULT now() NOT NULL
);
--> statement-breakpoint
CREATE TABLE "settings" (
	"name" text PRIMARY KEY NOT NULL,
	"value" jsonb NOT NULL,
	"updated_at" timestamp (3) with time zone DEFAULT now() NOT NULL,
	"updated_by" text NOT NULL
);
--> statement-breakpoint
CREATE TABLE "subscriptions" (
	"id" uuid PRIMARY KEY NOT NULL,
	"user_id" uuid NOT NULL,
	"group_id" uuid NOT NULL,
	"status" text DEFAULT 'active' NOT NULL,
	"starts_at" timestamp (3) with time zone DEFAULT now() NOT NULL,
	"expires_at" timestamp (3) with time zone NOT NULL,
	"note" text DEFAULT '' NOT NULL,
	"daily_started_at" timestamp (3) with time zone,
	"daily_used_nano" bigint DEFAULT 0 NOT NULL,
	"weekly_started_at" timestamp (3) with time zone,
	"weekly_used_nano" bigint DEFAULT 0 NOT NULL,
	"monthly_started_at" timestamp (3) with time zone,
	"monthly_used_nano" bigint DEFAULT 0 NOT NULL,
	"created_at" timestamp (3) with time zone DEFAULT now() NOT NULL,
	"updated_at" timestamp (3) with time zone DEFAULT now() NOT NULL
);
--> statement-breakpoint
CREATE TABLE "usage_records" (
	"id" uuid NOT NULL,
	"created_at" timestamp (3) with time zone NOT NULL,
	"finished_at" timestamp (3) with time zone NOT NULL,
	"user_id" uuid,
	"key_id" uuid,
	"account_id" uuid,
	"group_id" uuid,
	"subscription_id" uuid,
	"platform" text NOT NULL,
	"protocol" text NOT NULL,
	"endpoint" text NOT NULL,
	"model" text NOT NULL,
	"upstream_model" text,
	"input_tokens" bigint NOT NULL,
	"output_tokens" bigint NOT NULL,
	"cache_read_tokens" bigint NOT NULL,
	"cache_write_5m_tokens" bigint NOT NULL,
	"cache_write_1h_tokens" bigint NOT NULL,
	"reasoning_tokens" bigint NOT NULL,
	"total_tokens" bigint NOT NULL,
	"token_parts" jsonb,
	"iterations" jsonb,
	"input_cost_nano" bigint NOT NULL,
	"output_cost_nano" bigint NOT NULL,
	"cache_write_cost_nano" bigint NOT NULL,
	"cache_read_cost_nano" bigint NOT NULL,
	"request_cost_nano" bigint NOT NULL,
	"cost_nano" bigint NOT NULL,
	"charged_nano" bigint NOT NULL,
	"upstream_cost_nano" bigint NOT NULL,
	"priced" boolean NOT NULL,
	"price_used" jsonb,
	"metering" text NOT NULL,
	"billing_type" text NOT NULL,
	"stream" boolean NOT NULL,
	"status" text NOT NULL,
	"http_status" integer,
	"error_code" text,
	"error_message" text,
	"upstream_request_id" text,
	"duration_ms" integer NOT NULL,
	"first_token_ms" integer,
	"attempts" jsonb NOT NULL,
	"choice" jsonb,
	"service_tier" text,
	"user_agent" text,
	"client_ip" text,
	CONSTRAINT "usage_records_id_created_at_pk" PRIMARY KEY("id","created_at")
) PARTITION BY RANGE ("created_at");
--> statement-breakpoint
-- By hand: months are made ahead by src/db/partitions.ts; what none of them covers is not lost but lands here.
CREATE TABLE "usage_records_default" PARTITION OF "usage_records" DEFAULT;
--> statement-breakpoint
CREATE TABLE "usage_daily" (
	"day" date NOT NULL,
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
	"charged_nano" bigint DEFAULT 0 NOT NULL,
	"upstream_cost_nano" bigint DEFAULT 0 NOT NULL,
	"duration_ms" bigint DEFAULT 0 NOT NULL,
	"first_token_ms" bigint DEFAULT 0 NOT NULL,
	"first_token_requests" bigint DEFAULT 0 NOT NULL,
	CONSTRAINT "usage_daily_scope_scope_id_day_platform_model_pk" PRIMARY KEY("scope","scope_id","day","platform","model")
);
--> statement-breakpoint
CREATE TABLE "usage_hourly" (
	"hour" timestamp (3) with time zone NOT NULL,
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
	"charged_nano" bigint DEFAULT 0 NOT NULL,
	"upstream_cost_nano" bigint DEFAULT 0 NOT NULL,
	"duration_ms" bigint DEFAULT 0 NOT NULL,
	"first_token_ms" bigint DEFAULT 0 NOT NULL,
	"first_token_requests" bigint DEFAULT 0 NOT NULL,
	CONSTRAINT "usage_hourly_scope_scope_id_hour_platform_model_pk" PRIMARY KEY("scope","scope_id","hour","platform","model")
);
--> statement-breakpoint
CREATE TABLE "usage_totals" (
	"scope" text NOT NULL,
	"scope_id" text NOT NULL,
	"period" text DEFAULT '' NOT NULL,
	"requests" bigint DEFAULT 0 NOT NULL,
	"failed_requests" bigint DEFAULT 0 NOT NULL,
	"total_tokens" bigint DEFAULT 0 NOT NULL,
	"cost_nano" bigint DEFAULT 0 NOT NULL,
	"charged_nano" bigint DEFAULT 0 NOT NULL,
	"upstream_cost_nano" bigint DEFAULT 0 NOT NULL,
	"last_used_at" timestamp (3) with time zone,
	CONSTRAINT "usage_totals_scope_scope_id_period_pk" PRIMARY KEY("scope","scope_id","period")
);
--> statement-breakpoint
CREATE TABLE "users" (
	"id" uuid PRIMARY KEY NOT NULL,
	"email" text NOT NULL,
	"username" text NOT NULL,
	"role" text DEFAULT 'user' NOT NULL,
	"status" text DEFAULT 'active' NOT NULL,
	"balance_nano" bigint DEFAULT 0 NOT NULL,
	"quota_nano" bigint,
	"created_at" timestamp (3) with time zone DEFAULT now() NOT NULL,
	"updated_at" timestamp (3) with time zone DEFAULT now() NOT NULL,
	"deleted_at" timestamp (3) with time zone
);
--> statement-breakpoint
ALTER TABLE "account_groups" ADD CONSTRAINT "account_groups_account_id_accounts_id_fk" FOREIGN KEY ("account_id") REFERENCES "public"."accounts"("id") ON DELETE cascade ON UPDATE no action;--> statement-breakpoint
ALTER TABLE "account_groups" ADD CONSTRAINT "account_groups_group_id_groups_id_fk" FOREIGN KEY ("group_id") REFERENCES "public"."groups"("id") ON DELETE cascade ON UPDATE no action;--> statement-breakpoint
ALTER TABLE "accounts" ADD CONSTRAINT "accounts_proxy_id_proxies_id_fk" FOREIGN KEY ("proxy_id") REFERENCES "public"."proxies"("id") ON DELETE no action ON UPDATE no action;--> statement-breakpoint
ALTER TABLE "api_keys" ADD CONSTRAINT "api_keys_user_id_users_id_fk" FOREIGN KEY ("user_id") REFERENCES "public"."users"("id") ON DELETE no action ON UPDATE no action;--> statement-breakpoint
ALTER TABLE "api_keys" ADD CONSTRAINT "api_keys_group_id_groups_id_fk" FOREIGN KEY ("group_id") REFERENCES "public"."groups"("id") ON DELETE no action ON UPDATE no action;--> statement-breakpoint
ALTER TABLE "group_users" ADD CONSTRAINT "group_users_group_id_groups_id_fk" FOREIGN KEY ("group_id") REFERENCES "public"."groups"("id") ON DELETE cascade ON UPDATE no action;--> statement-breakpoint
ALTER TABLE "group_users" ADD CONSTRAINT "group_users_user_id_users_id_fk" FOREIGN KEY ("user_id") REFERENCES "public"."users"("id") ON DELETE cascade ON UPDATE no action;--> statement-breakpoint
ALTER TABLE "groups" ADD CONSTRAINT "groups_fallback_group_id_groups_id_fk" FOREIGN KEY ("fallback_group_id") REFERENCES "public"."groups"("id") ON DELETE no action ON UPDATE no action;--> statement-breakpoint
ALTER TABLE "prices" ADD CONSTRAINT "prices_account_id_accounts_id_fk" FOREIGN KEY ("account_id") REFERENCES "public"."accounts"("id") ON DELETE cascade ON UPDATE no action;--> statement-breakpoint
ALTER TABLE "subscriptions" ADD CONSTRAINT "subscriptions_user_id_users_id_fk" FOREIGN KEY ("user_id") REFERENCES "public"."users"("id") ON DELETE no action ON UPDATE no action;--> statement-breakpoint
ALTER TABLE "subscriptions" ADD CONSTRAINT "subscriptions_group_id_groups_id_fk" FOREIGN KEY ("group_id") REFERENCES "public"."groups"("id") ON DELETE no action ON UPDATE no action;--> statement-breakpoint
CREATE INDEX "account_groups_group" ON "account_groups" USING btree ("group_id");--> statement-breakpoint
CREATE INDEX "accounts_platform" ON "accounts" USING btree ("platform","id") WHERE "accounts"."deleted_at" is null;--> statement-breakpoint
CREATE UNIQUE INDEX "admin_tokens_name" ON "admin_tokens" USING btree ("name") WHERE "admin_tokens"."deleted_at" is null;--> statement-breakpoint
CREATE UNIQUE INDEX "admin_tokens_hash" ON "admin_tokens" USING btree ("token_hash");--> statement-breakpoint
CREATE UNIQUE INDEX "api_keys_hash" ON "api_keys" USING btree ("key_hash") WHERE "api_keys"."deleted_at" is null;--> statement-breakpoint
CREATE INDEX "api_keys_user" ON "api_keys" USING btree ("user_id");--> statement-breakpoint
CREATE INDEX "api_keys_group" ON "api_keys" USING btree ("group_id");--> statement-breakpoint
CREATE INDEX "api_keys_expiry" ON "api_keys" USING btree ("expires_at") WHERE "api_keys"."active" and "api_keys"."expires_at" is not null;--> statement-breakpoint
CREATE INDEX "audit_log_resource" ON "audit_log" USING btree ("resource","resource_id","id");--> statement-breakpoint
CREATE INDEX "group_users_user" ON "group_users" USING btree ("user_id");--> statement-breakpoint
CREATE UNIQUE INDEX "groups_name" ON "groups" USING btree ("name") WHERE "groups"."deleted_at" is null;--> statement-breakpoint
CREATE UNIQUE INDEX "groups_default" ON "groups" USING btree ("platform") WHERE "groups"."is_default" and "groups"."deleted_at" is null;--> statement-breakpoint
CREATE INDEX "ledger_entries_payer" ON "ledger_entries" USING btree ("payer_id","id");--> statement-breakpoint
CREATE UNIQUE INDEX "prices_identity" ON "prices" USING btree ("model",coalesce("platform", ''),coalesce("account_id", '00000000-0000-0000-0000-000000000000'::uuid),"effective_from");--> statement-breakpoint
CREATE UNIQUE INDEX "proxies_name" ON "proxies" USING btree ("name");--> statement-breakpoint
CREATE UNIQUE INDEX "subscriptions_active" ON "subscriptions" USING btree ("user_id","group_id") WHERE "subscriptions"."status" = 'active';--> statement-breakpoint
CREATE INDEX "subscriptions_group" ON "subscriptions" USING btree ("group_id");--> statement-breakpoint
CREATE INDEX "usage_records_time" ON "usage_records" USING btree ("created_at","id");--> statement-breakpoint
CREATE INDEX "usage_records_user" ON "usage_records" USING btree ("user_id","created_at","id");--> statement-breakpoint
CREATE INDEX "usage_records_key" ON "usage_records" USING btree ("key_id","created_at","id");--> statement-breakpoint
CREATE INDEX "usage_records_account" ON "usage_records" USING btree ("account_id","created_at","id");--> statement-breakpoint
CREATE INDEX "usage_records_unpriced" ON "usage_records" USING btree ("created_at") WHERE not "usage_records"."priced";--> statement-breakpoint
CREATE INDEX "usage_daily_time" ON "usage_daily" USING btree ("scope","day");--> statement-breakpoint
CREATE INDEX "usage_hourly_time" ON "usage_hourly" USING btree ("scope","hour");--> statement-breakpoint
CREATE UNIQUE INDEX "users_email" ON "users" USING btree (lower("email")) WHERE "users"."deleted_at" is null;--> statement-breakpoint
-- By hand: rows that every batch updates; room on the page keeps an update on it and out of the indexes (HOT).
ALTER TABLE "usage_totals" SET (fillfactor = 50);--> statement-breakpoint
ALTER TABLE "usage_hourly" SET (fillfactor = 70);--> statement-breakpoint
ALTER TABLE "usage_daily" SET (fillfactor = 70);--> statement-breakpoint
ALTER TABLE "users" SET (fillfactor = 80);
