-- Puts back an open request that was lost. ARGV  5 request id   6 takes.

local function put_back(take)
  local bucket = bucket_of(take.counter)
  if bucket and bucket.start == take.start then
    bucket.reserved = bucket.reserved + take.amount
    put_bucket(take.counter, bucket)
  elseif not bucket then
    put_bucket(take.counter, {
      start = take.start, used = 0, reserved = take.amount, standing = take.durable and 'u' or 'k',
    })
  end
end

local function restore()
  local id, takes_text = argument(), argument()
  local phase, takes = record_of(id)
  if phase == 's' or is_done(id) then return end
  if phase then
    takes_text = format_takes(takes)
  else
    takes = parse_takes(takes_text)
    load_takes(takes)
    for _, take in ipairs(takes) do
      if take.kind == 'b' then put_back(take) end
    end
  end
  put_open(id, takes_text)
end

restore()
commit()
