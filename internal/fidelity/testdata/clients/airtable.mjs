// airtable (airtable.js) against the sandbox.
import Airtable from 'airtable';
import { assert, break_, flow, free, limited, many, records, refused, requests, within } from './flows.mjs';

const id = 'appSandboxFidelit';
const at = (base, more = {}) => new Airtable({ apiKey: 'patSandbox.1', endpointUrl: `${base}/airtable`, noRetryIfRateLimited: true, requestTimeout: 20_000, ...more }).base(id);
const base = at(free);
const contacts = base('Contacts');
const calls = base('Calls');

// What is asked for is how the client's own errors look.
async function wrong(promise, status, type) {
  const e = await refused(promise);
  assert.ok(e instanceof Airtable.Error, String(e));
  assert.deepEqual([e.statusCode, e.error], [status, type], e.message);
  return e;
}

await flow('a record is created, found, updated, replaced and destroyed', async () => {
  const made = await contacts.create({ Name: 'Erika', Email: 'erika@example.com', Status: 'new', Tags: undefined });
  assert.match(made.id, /^rec[0-9A-Za-z]{14}$/);
  assert.equal(made.get('Email'), 'erika@example.com');
  const found = await contacts.find(made.id);
  assert.deepEqual(found.fields, { Name: 'Erika', Email: 'erika@example.com', Status: 'new' });
  assert.ok(found._rawJson.createdTime);
  const changed = await contacts.update(made.id, { Status: 'reached' });
  assert.equal(changed.get('Name'), 'Erika');
  const replaced = await contacts.replace(made.id, { Name: 'E.' });
  assert.deepEqual(replaced.fields, { Name: 'E.' });
  await found.patchUpdate({ Phone: '+4930' });
  assert.equal(found.get('Phone'), '+4930');
  await contacts.destroy(made.id);
  await wrong(contacts.find(made.id), 404, 'NOT_FOUND');
});

await flow('records are created, updated, replaced and destroyed ten at a time', async () => {
  const made = await contacts.create(Array.from({ length: 10 }, (_, i) => ({ fields: { Name: `N${i}`, Phone: '1' } })));
  assert.equal(made.length, 10);
  const changed = await contacts.update(made.map((r) => ({ id: r.id, fields: { Status: 'new' } })));
  assert.ok(changed.every((r) => r.get('Status') === 'new' && r.get('Phone') === '1'));
  const replaced = await contacts.replace(made.slice(0, 2).map((r) => ({ id: r.id, fields: { Name: 'R' } })));
  assert.ok(replaced.every((r) => r.get('Phone') === undefined));
  const gone = await contacts.destroy(made.map((r) => r.id));
  assert.deepEqual(gone.map((r) => r.id), made.map((r) => r.id));
  assert.equal((await records('airtable', 'Contacts')).length, 0);
});

await flow('records are upserted by a field to merge on', async () => {
  const performUpsert = { fieldsToMergeOn: ['telli_contact_id'] };
  const send = (names) => contacts.update(names.map((n) => ({ fields: { telli_contact_id: n, Name: n } })), { performUpsert });
  const made = await send(['a', 'b']);
  const again = await send(['b', 'c']);
  assert.equal(again[0].id, made[1].id);
  assert.deepEqual((await records('airtable', 'Contacts')).map((r) => r.fields.Name), ['a', 'b', 'c']);
  const raw = await base.makeRequest({ method: 'PATCH', path: '/Contacts', body: { performUpsert, records: [{ fields: { telli_contact_id: 'd' } }, { fields: { telli_contact_id: 'a' } }] } });
  assert.equal(raw.body.createdRecords.length, 1);
  assert.deepEqual(raw.body.updatedRecords, [made[0].id]);
});

await flow('an upsert that means two records refuses the request', async () => {
  await contacts.create([{ fields: { telli_contact_id: 'a' } }, { fields: { telli_contact_id: 'a' } }]);
  const e = await refused(contacts.update([{ fields: { telli_contact_id: 'a', Name: 'x' } }, { fields: { telli_contact_id: 'b' } }], { performUpsert: { fieldsToMergeOn: ['telli_contact_id'] } }));
  assert.equal(e.statusCode, 422);
  assert.equal((await records('airtable', 'Contacts')).length, 2);
});

await flow('records are selected by a formula, sorted, page by page', async () => {
  await contacts.create([3, 1, 2, 4, 5].map((n) => ({ fields: { Name: `N${n}`, Status: n < 5 ? 'new' : 'closed' } })));
  const pages = [];
  await contacts.select({ filterByFormula: "{Status} = 'new'", sort: [{ field: 'Name', direction: 'desc' }], fields: ['Name'], pageSize: 3 })
    .eachPage((page, next) => { pages.push(page.map((r) => r.get('Name'))); next(); });
  assert.deepEqual(pages, [['N4', 'N3', 'N2'], ['N1']]);
  const all = await contacts.select({ maxRecords: 2, sort: [{ field: 'Name' }], view: 'Grid view' }).all();
  assert.deepEqual(all.map((r) => r.get('Name')), ['N1', 'N2']);
  const first = await contacts.select({ filterByFormula: "OR(LOWER({Name}) = 'n5', FIND('4', {Name}) > 0)" }).firstPage();
  assert.equal(first.length, 2);
});

await flow('a long formula is sent by POST', async () => {
  await contacts.create([1, 2, 3].map((n) => ({ fields: { Name: `N${n}` } })));
  const long = `OR(${Array.from({ length: 900 }, (_, i) => `{Name} = 'N${i + 2}'`).join(', ')})`;
  const found = await contacts.select({ filterByFormula: long, sort: [{ field: 'Name' }], pageSize: 1 }).all();
  assert.deepEqual(found.map((r) => r.get('Name')), ['N2', 'N3']);
  assert.ok((await requests('airtable')).every((r) => r.startsWith('POST')));
  const asked = await contacts.select({ method: 'post', filterByFormula: "{Name} = 'N1'", cellFormat: 'string', timeZone: 'utc', userLocale: 'en' }).all();
  assert.equal(asked.length, 1);
});

await flow('cells are shown as people see them where that is asked for', async () => {
  const erika = await contacts.create({ Name: 'Erika' });
  await calls.create({ 'Call ID': 'k-1', Contact: [erika.id], Duration: 3663, Attempt: 2, 'Started at': '2026-11-21T10:00:00.000Z' });
  const [call] = await calls.select({ cellFormat: 'string', timeZone: 'Europe/Berlin', userLocale: 'de' }).all();
  assert.deepEqual(call.fields, { 'Call ID': 'k-1', Contact: 'Erika', Duration: '1:01:03', Attempt: '2', 'Started at': '2026-11-21 11:00' });
  const e = await refused(calls.select({ cellFormat: 'string' }).all());
  assert.equal(e.statusCode, 422);
});

await flow('fields are named by their ids where that is asked for', async () => {
  const meta = await base.makeRequest({ path: '/Contacts', qs: { returnFieldsByFieldId: true } });
  assert.deepEqual(meta.body.records, []);
  const made = await contacts.create([{ fields: { Name: 'Erika' } }], { returnFieldsByFieldId: true });
  const [key] = Object.keys(made[0].fields);
  assert.match(key, /^fld[0-9A-Za-z]{14}$/);
  const found = await contacts.select({ returnFieldsByFieldId: true, filterByFormula: `{${key}} = 'Erika'` }).all();
  assert.equal(found[0].get(key), 'Erika');
});

await flow('records are linked, and typecast makes options and links', async () => {
  const erika = await contacts.create({ Name: 'Erika' });
  const call = await calls.create({ 'Call ID': 'k-1', Contact: [erika.id], Duration: 63, Direction: 'inbound', 'Started at': '2026-11-21T10:00:00.000Z' });
  assert.deepEqual(call.get('Contact'), [erika.id]);
  assert.deepEqual((await contacts.find(erika.id)).get('Calls'), [call.id]);
  const cast = await calls.create([{ fields: { 'Call ID': 'k-2', Contact: ['Max'], Attempt: '2' } }], { typecast: true });
  assert.equal(cast[0].get('Attempt'), 2);
  assert.equal((await records('airtable', 'Contacts')).length, 2);
  await contacts.update(erika.id, { Status: 'brand new' }, { typecast: true });
  assert.equal((await contacts.find(erika.id)).get('Status'), 'brand new');
});

await flow('what is wrong with a record is said in the client\'s error', async () => {
  await wrong(contacts.create({ Nosuch: 'x' }), 422, 'UNKNOWN_FIELD_NAME');
  await wrong(contacts.create({ Status: 'nosuch' }), 422, 'INVALID_MULTIPLE_CHOICE_OPTIONS');
  await wrong(calls.create({ Attempt: 'two' }), 422, 'INVALID_VALUE_FOR_COLUMN');
  await wrong(calls.create({ Contact: ['recAAAAAAAAAAAAAA'] }), 422, 'ROW_DOES_NOT_EXIST');
  await wrong(contacts.select({ filterByFormula: 'AND(' }).all(), 422, 'INVALID_FILTER_BY_FORMULA');
  const eleven = await wrong(contacts.create(Array.from({ length: 11 }, () => ({ fields: { Name: 'x' } }))), 422, 'INVALID_RECORDS');
  assert.match(eleven.message, /10/);
  assert.equal((await records('airtable', 'Contacts')).length, 0);
});

await flow('tables, bases and tokens that are not there look as they should', async () => {
  await wrong(base('Nosuch').select().all(), 403, 'NOT_AUTHORIZED');
  await wrong(contacts.find('recAAAAAAAAAAAAAA'), 404, 'NOT_FOUND');
  await break_({ crm: 'airtable', status: 401, times: 1 });
  await wrong(contacts.select().all(), 401, 'AUTHENTICATION_REQUIRED');
  await break_({ crm: 'airtable', status: 413, times: 1 });
  await wrong(contacts.create({ Name: 'x' }), 413, 'REQUEST_TOO_LARGE');
});

await flow('server errors come as JSON and as pages', async () => {
  for (const [status, type] of [[500, 'SERVER_ERROR'], [503, 'SERVICE_UNAVAILABLE']]) {
    await break_({ crm: 'airtable', status, times: 1 });
    await wrong(contacts.select().all(), status, type);
  }
  await break_({ crm: 'airtable', status: 502, times: 1 });
  await refused(base.makeRequest({ path: '/Contacts' })); // a page, which the client cannot read
});

await flow('five requests in a second are let through, and then none for a while', async () => {
  const hurried = at(limited)('Contacts');
  const all = await within(1_000, () => many(7, () => hurried.create({ Name: 'x' })));
  const late = all.filter((r) => r.status === 'rejected').map((r) => r.reason);
  assert.equal(late.length, 2);
  for (const e of late) assert.deepEqual([e.statusCode, e.error], [429, 'TOO_MANY_REQUESTS']);
  const body = await (await fetch(`${limited}/airtable/v0/${id}/Contacts`, { headers: { authorization: 'Bearer x' } })).json();
  assert.equal(body.errors[0].error, 'RATE_LIMIT_REACHED');
});

await flow('a refusal for speed is tried again by the client', async () => {
  const { random } = Math; // the client's pauses are random, of up to 5 s
  Math.random = () => 0.01;
  try {
    await break_({ crm: 'airtable', status: 429, times: 2 });
    const made = await at(free, { noRetryIfRateLimited: false })('Contacts').create({ Name: 'x' });
    assert.ok(made.id);
    assert.equal((await requests('airtable')).length, 3);
  } finally {
    Math.random = random;
  }
});
