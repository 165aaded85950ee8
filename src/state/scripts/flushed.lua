-- Receipts are in the database. ARGV  for each request: id, number of counters, counters (durable ones, to doubt if there is no record).

local function flushed(id, counters)
  local phase, takes = record_of(id)
  if phase == 's' then
    for _, take in ipairs(takes) do
      local bucket = bucket_of(take.counter)
      if not (bucket and bucket.standing == 'k') then doubt(take.counter) end
    end
    put_done(id)
  elseif not is_done(id) then
    -- Its settlement never came here: what it held is given back, what it used is in the database.
    if phase then
      release(takes, ABANDONED, false)
      counters = {}
      for _, take in ipairs(takes) do
        if take.durable then counters[#counters + 1] = take.counter end
      end
    end
    for _, counter in ipairs(counters) do doubt(counter) end
    put_done(id)
  end
end

while at < #ARGV do
  local id, counters = argument(), {}
  for i = 1, tonumber(argument()) do counters[i] = argument() end
  flushed(id, counters)
end
commit()
