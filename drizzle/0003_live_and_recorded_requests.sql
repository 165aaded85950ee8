CREATE TABLE "live_instances" (
	"id" uuid PRIMARY KEY NOT NULL,
	"started_at" timestamp (3) with time zone DEFAULT now() NOT NULL,
	"seen_at" timestamp (3) with time zone DEFAULT now() NOT NULL,
	"steady_since" timestamp (3) with time zone DEFAULT now() NOT NULL
);
--> statement-breakpoint
CREATE TABLE "live_requests" (
	"id" uuid PRIMARY KEY NOT NULL,
	"instance_id" uuid NOT NULL,
	"request" jsonb NOT NULL
);
--> statement-breakpoint
CREATE TABLE "request_recordings" (
	"id" uuid PRIMARY KEY NOT NULL,
	"created_at" timestamp (3) with time zone NOT NULL,
	"request_headers" jsonb,
	"request_body" text,
	"request_bytes" bigint,
	"request_cut" boolean DEFAULT false NOT NULL,
	"response_headers" jsonb,
	"response_body" text,
	"response_bytes" bigint,
	"response_cut" boolean DEFAULT false NOT NULL
);
--> statement-breakpoint
CREATE INDEX "live_requests_instance" ON "live_requests" USING btree ("instance_id");--> statement-breakpoint
CREATE INDEX "request_recordings_time" ON "request_recordings" USING btree ("created_at");