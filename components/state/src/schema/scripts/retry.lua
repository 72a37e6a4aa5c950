-- ARGV: id, receipt, delay, reason. Gives a job back, or buries it when its attempts are used up.

local id = ARGV[1]
local job, refusal = claimed(id, ARGV[2])
if not job then
  return refusal
end
job.reason = ARGV[4]
if job.attempts >= job.most then
  bury(id, job, 0)
else
  job.receipt = 0
  save(id, job)
  call('ZREM', RUNNING, id)
  call('ZADD', DUE, from_now(ARGV[3]), id)
end
return YES
