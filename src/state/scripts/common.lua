-- What every step over one owner's counters begins with. Redis runs a script as one step; nothing else happens meanwhile.
-- Twin of core/limit.ts, core/rate.ts and memory-owner.ts; test/state/counters-twins.test.ts feeds both the same. Change both.
--
-- KEYS  1 counters: hash of  counter -> 'start used reserved standing most'  or, of a rate,  'emptyAtUs busySinceMs';  '#epoch' -> number
--       2 records:  hash of  request id -> phase ('o' open, 's' settled) .. takes
--       3 due:      sorted set of the open requests by the end of their lease
--       4 done:     sorted set of settled requests without a record, by the time until which they are remembered
-- ARGV  1 now (tests only; else this Redis' own time, so that instances need not agree on the time)
--       2 lease ms   3 remember ms   4 keep ms (idle keys go away by themselves)   5… the step's own
--
-- takes: 'counter measure kind start amount perMinute durable', joined by ';'. measure: 1 slots 2 requests 3 tokens 4 cost 5 charge.
-- kind: b(ucket) or r(ate). standing: k(nown), s(tale), u(nread). Numbers are integers up to 2^53 and written as such, never as 1e+15.

local MOST_COUNT = 4503599627370496
local MINUTE_US = 60000000
local LONGEST_DEBT_US = 86400000000
local ABANDONED = { 0, 1, 0, 0, 0 }

local now = tonumber(ARGV[1])
if not now then
  local time = redis.call('TIME')
  now = time[1] * 1000 + math.floor(time[2] / 1000)
end
local lease_ms, remember_ms, keep_ms = tonumber(ARGV[2]), tonumber(ARGV[3]), tonumber(ARGV[4])

local at = 4
local function argument()
  at = at + 1
  return ARGV[at]
end

local function amounts()
  local list = {}
  for i = 1, 5 do list[i] = tonumber(argument()) end
  return list
end

-- tostring is exact to 14 digits and takes a third of format's time.
local function digits(number)
  if number < 1e14 and number > -1e14 then return tostring(number) end
  return string.format('%.0f', number)
end

-- Counters: read once, written once, by `commit`.

local texts, buckets, changed, doubts = {}, {}, {}, 0

local function load(counters)
  local missing = {}
  for _, counter in ipairs(counters) do
    if texts[counter] == nil then
      texts[counter] = false
      missing[#missing + 1] = counter
    end
  end
  for from = 1, #missing, 1000 do
    local to = math.min(from + 999, #missing)
    local found = redis.call('HMGET', KEYS[1], unpack(missing, from, to))
    for i, text in ipairs(found) do texts[missing[from + i - 1]] = text end
  end
end

local function bucket_of(counter)
  if buckets[counter] ~= nil then return buckets[counter] or nil end
  load({ counter })
  local start, used, reserved, standing, most = string.match(texts[counter] or '', '^(%S+) (%S+) (%S+) (%a) (%S+)$')
  buckets[counter] = start and {
    start = tonumber(start),
    used = tonumber(used),
    reserved = tonumber(reserved),
    standing = standing,
    most = tonumber(most),
  } or false
  return buckets[counter] or nil
end

local function put_bucket(counter, bucket)
  buckets[counter] = bucket
  changed[counter] = true
end

local function rate_of(counter)
  load({ counter })
  local empty_at, busy_since = string.match(texts[counter] or '', '^(%S+) (%S+)$')
  return empty_at and { empty_at = tonumber(empty_at), busy_since = tonumber(busy_since) } or nil
end

local function put_rate(counter, rate)
  texts[counter] = digits(rate.empty_at) .. ' ' .. digits(rate.busy_since)
  changed[counter] = true
end

local function keep(key)
  -- Renewed when an eighth is over: not a write for every step.
  if redis.call('PTTL', key) < keep_ms * 7 / 8 then redis.call('PEXPIRE', key, keep_ms) end
end

local function commit()
  local fields = {}
  for counter in pairs(changed) do
    local bucket = buckets[counter]
    fields[#fields + 1] = counter
    fields[#fields + 1] = bucket and table.concat({
      digits(bucket.start), digits(bucket.used), digits(bucket.reserved), bucket.standing, bucket.most and digits(bucket.most) or '-',
    }, ' ') or texts[counter]
  end
  for from = 1, #fields, 1000 do
    redis.call('HSET', KEYS[1], unpack(fields, from, math.min(from + 999, #fields)))
  end
  if doubts > 0 then
    redis.call('HSETNX', KEYS[1], '#epoch', digits(now * 1000))
    redis.call('HINCRBY', KEYS[1], '#epoch', doubts)
  end
  if #fields > 0 or doubts > 0 then keep(KEYS[1]) end
end

-- Counts doubts, from a number that these counters can't have had before they were lost.
local function epoch()
  if redis.call('HSETNX', KEYS[1], '#epoch', digits(now * 1000)) == 1 then keep(KEYS[1]) end
  return digits(redis.call('HGET', KEYS[1], '#epoch') + doubts)
end

local function doubt(counter)
  doubts = doubts + 1
  local bucket = bucket_of(counter)
  if bucket and bucket.standing == 'k' then
    bucket.standing = 's'
    put_bucket(counter, bucket)
  end
end

-- Takes and records.

local function parse_takes(text)
  local takes = {}
  for counter, measure, kind, start, amount, per_minute, durable in
    string.gmatch(text, '([^ ;]+) (%d) (%a) (%d+) (%d+) (%d+) (%d)')
  do
    takes[#takes + 1] = {
      counter = counter,
      measure = tonumber(measure),
      kind = kind,
      start = tonumber(start),
      amount = tonumber(amount),
      per_minute = tonumber(per_minute),
      durable = durable == '1',
    }
  end
  return takes
end

local function format_takes(takes)
  local parts = {}
  for i, take in ipairs(takes) do
    parts[i] = table.concat({
      take.counter, take.measure, take.kind, digits(take.start), digits(take.amount), digits(take.per_minute), take.durable and 1 or 0,
    }, ' ')
  end
  return table.concat(parts, ';')
end

local function load_takes(takes)
  local counters = {}
  for i, take in ipairs(takes) do counters[i] = take.counter end
  load(counters)
end

-- Phase and takes of a request; nil: there is no record of it.
local function record_of(id)
  local text = redis.call('HGET', KEYS[2], id)
  if not text then return nil end
  return string.sub(text, 1, 1), parse_takes(string.sub(text, 2))
end

local function is_done(id)
  return tonumber(redis.call('ZSCORE', KEYS[4], id) or 0) > now
end

local function put_open(id, takes_text)
  redis.call('HSET', KEYS[2], id, 'o' .. takes_text)
  redis.call('ZADD', KEYS[3], now + lease_ms, id)
  keep(KEYS[2])
  keep(KEYS[3])
end

local function put_settled(id, takes)
  redis.call('ZREM', KEYS[3], id)
  redis.call('HSET', KEYS[2], id, 's' .. format_takes(takes))
  keep(KEYS[2])
end

local function put_done(id)
  redis.call('HDEL', KEYS[2], id)
  redis.call('ZREM', KEYS[3], id)
  redis.call('ZADD', KEYS[4], now + remember_ms, id)
  redis.call('ZREMRANGEBYSCORE', KEYS[4], '-inf', now)
  keep(KEYS[4])
end

-- Settled requests: their ids, and what they used by counter.
local function settled_records()
  local ids, uses = {}, {}
  local all = redis.call('HGETALL', KEYS[2])
  for i = 1, #all, 2 do
    if string.sub(all[i + 1], 1, 1) == 's' then
      ids[#ids + 1] = all[i]
      for _, take in ipairs(parse_takes(string.sub(all[i + 1], 2))) do
        uses[take.counter] = uses[take.counter] or {}
        table.insert(uses[take.counter], take)
      end
    end
  end
  return ids, uses
end

-- Rates: core/rate.ts.

local function cost_us(amount, per_minute)
  return math.min(LONGEST_DEBT_US, math.ceil((amount * MINUTE_US) / per_minute))
end

local function correct_rate(rate, take, actual)
  local difference = cost_us(actual, take.per_minute) - cost_us(take.amount, take.per_minute)
  if difference > 0 then
    rate.empty_at = math.max(rate.empty_at, now * 1000) + difference
  elseif take.start >= rate.busy_since then
    rate.empty_at = rate.empty_at + difference
  end
  return rate
end

-- What a request does when it ends: memory-owner.ts.

local function release(takes, actual, is_late)
  load_takes(takes)
  for _, take in ipairs(takes) do
    local amount = actual[take.measure]
    if take.kind == 'r' then
      local rate = rate_of(take.counter)
      if rate then put_rate(take.counter, correct_rate(rate, take, amount)) end
    else
      local bucket = bucket_of(take.counter)
      if bucket and bucket.start == take.start then
        bucket.reserved = math.max(0, bucket.reserved - take.amount)
        bucket.used = math.min(MOST_COUNT, bucket.used + amount)
        put_bucket(take.counter, bucket)
      end
      if take.durable and amount > 0 and (is_late or not bucket or bucket.standing ~= 'k') then doubt(take.counter) end
    end
  end
end

local function add_late(takes, actual)
  load_takes(takes)
  for _, take in ipairs(takes) do
    local amount = actual[take.measure]
    if take.kind == 'b' and take.measure > 2 and amount > 0 then
      local bucket = bucket_of(take.counter)
      if bucket and bucket.start == take.start then
        bucket.used = math.min(MOST_COUNT, bucket.used + amount)
        put_bucket(take.counter, bucket)
      end
      if take.durable then doubt(take.counter) end
    end
  end
end

local function durable_use(takes, actual)
  local used = {}
  for _, take in ipairs(takes) do
    if take.durable and actual[take.measure] > 0 then
      take.amount = actual[take.measure]
      used[#used + 1] = take
    end
  end
  return used
end

-- Gives back what requests held whose lease ran out (KEY-8): of this owner, at its next step. 25 us a request, so that even the thousands
-- of a busy instance that died don't hold up Redis for long.
local function reap()
  local ids = redis.call('ZRANGEBYSCORE', KEYS[3], '-inf', now)
  for _, id in ipairs(ids) do
    local phase, takes = record_of(id)
    redis.call('ZREM', KEYS[3], id)
    if phase == 'o' then
      redis.call('HDEL', KEYS[2], id)
      release(takes, ABANDONED, false)
    end
  end
end

local function span_of(text)
  local kind, rest = string.match(text, '^(%a)%s?(.*)$')
  local span = { kind = kind }
  if kind == 'w' then span.length = tonumber(rest) end
  if kind == 'c' then
    for boundary in string.gmatch(rest, '%d+') do span[#span + 1] = tonumber(boundary) end
  end
  return span
end

local function is_live(length, start)
  return start > 0 and now < start + length
end

reap()
