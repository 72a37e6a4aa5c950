-- The beginning of every script on a queue.
--
-- A queue has six keys, which every script gets:
--
--   due      sorted set: every waiting or running job by when it may be claimed (next)
--   running  sorted set: the claimed ones among them, by when their claim runs out
--   jobs     hash: what is known of a waiting, running or dead job,
--            '1:<attempts>:<most>:<remember>:<receipt>:<reason>'; the receipt is 0 when it is not claimed
--   payloads hash: their payloads
--   dead     sorted set: the dead ones by when they died
--   done     sorted set: acknowledged ids by until when they stay taken
--
-- All times are in microseconds by the server's clock, so that jobs of the same millisecond keep their order.
-- The reply is one string as in head.lua: '+' and fields, or 'x' and a key; 'f' and 't' are false and true.

local call, format, match, tonumber = redis.call, string.format, string.match, tonumber
local DUE, RUNNING, JOBS, PAYLOADS, DEAD, DONE = KEYS[1], KEYS[2], KEYS[3], KEYS[4], KEYS[5], KEYS[6]
local YES, NO = '+t', '+f'

local time = call('TIME')
local now = time[1] * 1000000 + time[2]

-- A moment so many milliseconds from now; the end of time is where doubles stop being exact.
local function from_now(milliseconds)
  return math.min(now + milliseconds * 1000, 9007199254740991)
end

local function load(id)
  local raw = call('HGET', JOBS, id)
  if not raw then
    return nil
  end
  local attempts, most, remember, receipt, reason = match(raw, '^1:(%d+):(%d+):(%d+):(%d+):(.*)$')
  if not attempts then
    return nil, format('x%d ', #JOBS) .. JOBS
  end
  return {
    attempts = tonumber(attempts),
    most = tonumber(most),
    remember = tonumber(remember),
    receipt = tonumber(receipt),
    reason = reason,
  }
end

local function save(id, job)
  local head = format('1:%d:%d:%d:%d:', job.attempts, job.most, job.remember, job.receipt)
  call('HSET', JOBS, id, head .. job.reason)
end

-- Moves a job to the dead letters. `order` tells apart those of one call.
local function bury(id, job, order)
  job.receipt = 0
  save(id, job)
  call('ZREM', DUE, id)
  call('ZREM', RUNNING, id)
  call('ZADD', DEAD, now + order, id)
end

-- The job, if this receipt is that of its last claim; a claim that ran out counts until there is another one.
local function claimed(id, receipt)
  local job, corrupt = load(id)
  if corrupt then
    return nil, corrupt
  end
  if not job or job.receipt == 0 or job.receipt ~= tonumber(receipt) then
    return nil, NO
  end
  return job
end
