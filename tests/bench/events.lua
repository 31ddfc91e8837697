-- What wrk sends: deliveries of one webhook, each an event of its own. The signature is of the body alone, so that it is
-- made once; what makes them differ is the id in a header.
--
--	EVENTS_PATH, EVENTS_BODY, EVENTS_SIGNATURE, EVENTS_RUN (one word for all ids of it)
--	EVENTS_PAUSE_MS: between an answer and the next request of that connection, on average; the pauses are those of
--	events that know nothing of each other (exponential). Without: none.
--
-- After the run: one line of JSON, as in load.lua.

local threads = 0

function setup(thread)
	thread:set("number", threads)
	threads = threads + 1
end

local head, tail, sent

function init(args)
	local body = os.getenv("EVENTS_BODY")
	local request = wrk.format("POST", os.getenv("EVENTS_PATH"), {
		["Content-Type"] = "application/json", ["X-GitHub-Event"] = "issues", ["X-GitHub-Delivery"] = "EVENTS_ID",
		["X-Hub-Signature-256"] = os.getenv("EVENTS_SIGNATURE"),
	}, body)
	local from, to = request:find("EVENTS_ID", 1, true)
	head, tail = request:sub(1, from - 1) .. string.format("%s-%d-", os.getenv("EVENTS_RUN"), number), request:sub(to + 1)
	sent = 0
	math.randomseed(os.time() * 10 + number)
end

function request()
	sent = sent + 1
	return head .. sent .. tail
end

local pause = tonumber(os.getenv("EVENTS_PAUSE_MS"))

if pause then
	function delay()
		return math.floor(-math.log(1 - math.random()) * pause + 0.5)
	end
end

function done(summary, latency)
	local errors = summary.errors
	io.write(string.format(
		'{"requests":%d,"micros":%d,"p50":%d,"p99":%d,"max":%d,"refused":%d,"broken":%d}\n',
		summary.requests, summary.duration, latency:percentile(50), latency:percentile(99), latency.max,
		errors.status, errors.connect + errors.read + errors.write + errors.timeout))
end
