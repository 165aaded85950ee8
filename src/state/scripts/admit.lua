-- Admission: all limits agree and all are taken from, or none. Twin of memory-admission.ts.
-- ARGV  5 request id   6 accepts stale ('1')   7-11 amounts
--       then for each limit: counter, measure, span ('t', 'r', 'w length', 'c boundaries'), most or '', rule w|e|h, durable '1'|'0'
-- Returns {'admitted', start, amount, …}  {'repeated', takes}  {'refused', which, wait ms or -1, held 1|0}  {'unknown', epoch, counters, ids}

local TRUST_FACTOR = 100
local HELD_WAIT_MS = 1000

local function current_start(span, stored)
  if span.kind == 'w' then return is_live(span.length, stored) and stored or now end
  if span.kind ~= 'c' then return 0 end
  local boundary = now >= span[3] and span[3] or now >= span[2] and span[2] or span[1]
  return math.max(stored, boundary)
end

local function end_of(span, start)
  if span.kind == 'w' then return start + span.length end
  if span.kind ~= 'c' then return nil end
  for i = 1, 4 do
    if span[i] > start then return span[i] end
  end
  return span[4]
end

local function has_room(rule, room, amount)
  if not room.most then return true end
  local taken = room.used + room.reserved
  if taken + amount <= room.most then return rule ~= 'e' or taken < room.most end
  return rule == 'e' and room.reserved == 0 and taken < room.most
end

local function reservation(rule, room, amount)
  if rule ~= 'h' then return amount end
  if not room.most or room.most - room.used - room.reserved > TRUST_FACTOR * amount then return 0 end
  return amount
end

local function room_of(limit)
  local bucket = bucket_of(limit.counter)
  local start = current_start(limit.span, bucket and bucket.start or 0)
  local most = limit.most
  if not most and limit.rule == 'h' and bucket then most = bucket.most end
  if not bucket or bucket.start ~= start then return { start = start, used = 0, reserved = 0, most = most, is_new = true } end
  return { start = start, used = bucket.used, reserved = bucket.reserved, most = most }
end

local function take_rate(limit, amount)
  local rate = rate_of(limit.counter)
  local idle = not rate or rate.empty_at <= now * 1000
  local empty_at = (idle and now * 1000 or rate.empty_at) + cost_us(amount, limit.most)
  return { empty_at = empty_at, busy_since = idle and now or rate.busy_since }, empty_at - now * 1000 - MINUTE_US
end

local function refusal_of(limit, amount)
  if limit.span.kind == 'r' then
    local _, too_full_us = take_rate(limit, math.min(amount, limit.most))
    if too_full_us > 0 then return math.ceil(too_full_us / 1000), 0 end
    return nil
  end
  local room = room_of(limit)
  if has_room(limit.rule, room, amount) then return nil end
  if limit.measure == 1 or (limit.rule == 'e' and room.used < room.most) then return HELD_WAIT_MS, 1 end
  local ends = limit.rule ~= 'h' and end_of(limit.span, room.start)
  return ends and math.max(0, ends - now) or -1, 0
end

local function take(limit, amount)
  local taken = { counter = limit.counter, measure = limit.measure, durable = limit.durable }
  if limit.span.kind == 'r' then
    amount = math.min(amount, limit.most)
    put_rate(limit.counter, (take_rate(limit, amount)))
    taken.kind, taken.start, taken.amount, taken.per_minute = 'r', now, amount, limit.most
    return taken
  end
  local room = room_of(limit)
  local reserved = reservation(limit.rule, room, amount)
  local bucket = bucket_of(limit.counter) or { standing = 'k' }
  if room.is_new then bucket.start, bucket.used, bucket.reserved = room.start, 0, 0 end
  bucket.reserved = bucket.reserved + reserved
  put_bucket(limit.counter, bucket)
  taken.kind, taken.start, taken.amount, taken.per_minute = 'b', room.start, reserved, 0
  return taken
end

local function parse_limits()
  local limits, counters = {}, {}
  while at < #ARGV do
    local limit = { counter = argument(), measure = tonumber(argument()), span = span_of(argument()) }
    limit.most, limit.rule, limit.durable = tonumber(argument()), argument(), argument() == '1'
    limits[#limits + 1] = limit
    counters[#counters + 1] = limit.counter
  end
  load(counters)
  return limits
end

local function unknown_counters(limits, accepts_stale)
  local unknown = {}
  for _, limit in ipairs(limits) do
    if limit.durable then
      local bucket = bucket_of(limit.counter)
      local standing = bucket and bucket.standing
      if standing ~= 'k' and not (standing == 's' and accepts_stale) then unknown[#unknown + 1] = limit.counter end
    end
  end
  return unknown
end

local function admit()
  local id, accepts_stale, requested = argument(), argument() == '1', amounts()
  local before = redis.call('HGET', KEYS[2], id)
  if before then return { 'repeated', string.sub(before, 1, 1) == 'o' and string.sub(before, 2) or '' } end
  if is_done(id) then return { 'repeated', '' } end
  local limits = parse_limits()
  local unknown = unknown_counters(limits, accepts_stale)
  if #unknown > 0 then
    local ids = settled_records()
    return { 'unknown', epoch(), unknown, ids }
  end
  for i, limit in ipairs(limits) do
    local wait, is_held = refusal_of(limit, requested[limit.measure])
    if wait then return { 'refused', i, wait, is_held } end
  end
  local takes, reply = {}, { 'admitted' }
  for i, limit in ipairs(limits) do
    takes[i] = take(limit, requested[limit.measure])
    reply[#reply + 1] = takes[i].start
    reply[#reply + 1] = takes[i].amount
  end
  put_open(id, format_takes(takes))
  return reply
end

local reply = admit()
commit()
return reply
