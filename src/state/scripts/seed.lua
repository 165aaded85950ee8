-- Makes counters known: what the database knew + settled requests that were not in it yet. Twin of core/seed.ts.
-- ARGV  5 epoch   6 guess ('1')   7 number of seeds   for each: counter, span, start, used, most or ''   then the ids of requests that the database has
-- Returns 1, or 0: something changed since, read again. A guess is for counters of which nothing is known, and leaves them stale.

local function start_of(seed, stored, uses)
  if seed.span.kind == 'c' then return math.max(stored, seed.start) end
  if seed.span.kind ~= 'w' then return 0 end
  local length = seed.span.length
  if is_live(length, stored) then return stored end
  if is_live(length, seed.start) then return seed.start end
  local first = 0
  for _, take in ipairs(uses) do
    if is_live(length, take.start) and (first == 0 or take.start < first) then first = take.start end
  end
  return first
end

local function merge(seed, bucket, uses)
  local start = start_of(seed, bucket and bucket.start or 0, uses)
  local function belongs(taken)
    if seed.span.kind == 'w' then return is_live(seed.span.length, taken) end
    return seed.span.kind ~= 'c' or taken == start
  end
  local used = belongs(seed.start) and seed.used or 0
  for _, take in ipairs(uses) do
    if belongs(take.start) then used = used + take.amount end
  end
  local reserved = bucket and bucket.start == start and bucket.reserved or 0
  return { start = start, used = math.min(MOST_COUNT, used), reserved = reserved, standing = 'k', most = seed.most }
end

local function parse_seeds()
  local seeds, seeding = {}, {}
  for i = 1, tonumber(argument()) do
    local seed = { counter = argument(), span = span_of(argument()) }
    seed.start, seed.used, seed.most = tonumber(argument()), tonumber(argument()), tonumber(argument())
    seeds[i] = seed
    seeding[seed.counter] = true
  end
  return seeds, seeding
end

local function forget_settled(id, seeding)
  local phase, takes = record_of(id)
  if phase ~= 's' then return end
  put_done(id)
  for _, take in ipairs(takes) do
    local bucket = bucket_of(take.counter)
    if not seeding[take.counter] and not (bucket and bucket.standing == 'k') then doubt(take.counter) end
  end
end

local function seed_all()
  if argument() ~= epoch() then return 0 end
  local is_guess = argument() == '1'
  local seeds, seeding = parse_seeds()
  while at < #ARGV do forget_settled(argument(), seeding) end
  local _, uses = settled_records()
  for _, seed in ipairs(seeds) do
    local bucket = bucket_of(seed.counter)
    local standing = bucket and bucket.standing
    if standing ~= 'k' and not (is_guess and standing == 's') then
      local merged = merge(seed, bucket, uses[seed.counter] or {})
      if is_guess then merged.standing = 's' end
      put_bucket(seed.counter, merged)
    end
  end
  return 1
end

local reply = seed_all()
commit()
return reply
