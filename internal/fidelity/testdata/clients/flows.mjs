// A flow is one thing that a vendor's own client does against the sandbox. Each
// begins with an empty sandbox and ends with one line on standard output, which
// the Go test reads: "ok NAME" or "not ok NAME: why".
import assert from 'node:assert/strict';

// Where the sandbox without limits is, and the one with small ones.
export const [free, limited] = process.argv.slice(2);

const tooLong = 100_000; // ms, for one flow

export async function flow(name, run) {
  let timer;
  try {
    await Promise.all([free, limited].map((at) => ask(at, 'POST', 'reset')));
    const late = new Promise((_, reject) => {
      timer = setTimeout(() => reject(new Error(`no end after ${tooLong} ms`)), tooLong);
    });
    await Promise.race([run(), late]);
    console.log(`ok ${name}`);
  } catch (e) {
    const why = e?.message ?? JSON.stringify(e);
    console.log(`not ok ${name}: ${why.split('\n').filter(Boolean).slice(0, 8).join(' | ')}`);
    console.error(e?.stack ?? e);
  } finally {
    clearTimeout(timer);
  }
}

async function ask(at, method, path, body) {
  const r = await fetch(`${at}/_/${path}`, { method, body: body && JSON.stringify(body) });
  if (!r.ok) throw new Error(`the sandbox refuses ${method} ${path}: ${await r.text()}`);
  return r.status === 204 ? undefined : r.json();
}

// records is what the sandbox holds; add is a person who makes a record.
export const records = (crm, object) => ask(free, 'GET', `records/${crm}/${object}`);
export const add = (crm, object, fields) => ask(free, 'POST', `records/${crm}/${object}`, fields);

// requests is what the sandbox was asked, as "METHOD path status".
export const requests = async (crm, at = free) =>
  (await ask(at, 'GET', `requests?crm=${crm}`)).map((r) => `${r.method} ${r.path} ${r.status}`);

// break_ switches faults on.
export const break_ = (...faults) => ask(free, 'POST', 'faults', faults);

// within runs what counts requests in a span of ms, on empty sandboxes, until it
// took less: a machine that stood still meanwhile says nothing about a limit.
export async function within(span, run) {
  for (let round = 0; ; round++) {
    const began = performance.now();
    const got = await run();
    if (performance.now() - began < span || round === 9) return got;
    await ask(limited, 'POST', 'reset');
  }
}

// refused is what the client throws, or resolves to, when it is refused.
export async function refused(promise) {
  let answer;
  try {
    answer = await promise;
  } catch (e) {
    return e;
  }
  assert.fail(`the call was not refused: ${JSON.stringify(answer)}`);
}

// many runs make(0) … make(n-1) side by side.
export const many = (n, make) => Promise.allSettled(Array.from({ length: n }, (_, i) => make(i)));

export { assert };
