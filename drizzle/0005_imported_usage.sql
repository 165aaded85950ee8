CREATE TABLE "imported_usage_buckets" (
	"kind" text NOT NULL,
	"name" text NOT NULL,
	"requests" bigint DEFAULT 0 NOT NULL,
	"tokens" bigint DEFAULT 0 NOT NULL,
	CONSTRAINT "imported_usage_buckets_kind_name_pk" PRIMARY KEY("kind","name")
);
--> statement-breakpoint
CREATE TABLE "imported_usage_details" (
	"series_id" integer NOT NULL,
	"at_ns" bigint NOT NULL,
	"identity" bigint NOT NULL,
	"source" text NOT NULL,
	"auth_index" text NOT NULL,
	"failed" boolean NOT NULL,
	"input_tokens" bigint NOT NULL,
	"output_tokens" bigint NOT NULL,
	"reasoning_tokens" bigint NOT NULL,
	"cached_tokens" bigint NOT NULL,
	"total_tokens" bigint NOT NULL,
	CONSTRAINT "imported_usage_details_series_id_at_ns_identity_pk" PRIMARY KEY("series_id","at_ns","identity")
);
--> statement-breakpoint
CREATE TABLE "imported_usage_series" (
	"id" integer PRIMARY KEY GENERATED ALWAYS AS IDENTITY (sequence name "imported_usage_series_id_seq" INCREMENT BY 1 MINVALUE 1 MAXVALUE 2147483647 START WITH 1 CACHE 1),
	"key_name" text NOT NULL,
	"model" text NOT NULL,
	"listed_requests" bigint DEFAULT 0 NOT NULL,
	"listed_tokens" bigint DEFAULT 0 NOT NULL,
	"claimed_requests" bigint DEFAULT 0 NOT NULL,
	"claimed_tokens" bigint DEFAULT 0 NOT NULL,
	CONSTRAINT "imported_usage_series_name" UNIQUE("key_name","model")
);
--> statement-breakpoint
ALTER TABLE "usage_daily" ADD COLUMN "error_requests" bigint DEFAULT 0 NOT NULL;--> statement-breakpoint
ALTER TABLE "usage_hourly" ADD COLUMN "error_requests" bigint DEFAULT 0 NOT NULL;--> statement-breakpoint
ALTER TABLE "usage_monthly" ADD COLUMN "error_requests" bigint DEFAULT 0 NOT NULL;--> statement-breakpoint
-- By hand: sums of before. Clients that left early, which count as errors too, are not told apart in them.
UPDATE "usage_daily" SET "error_requests" = "failed_requests";--> statement-breakpoint
UPDATE "usage_hourly" SET "error_requests" = "failed_requests";--> statement-breakpoint
UPDATE "usage_monthly" SET "error_requests" = "failed_requests";
