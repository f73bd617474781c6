// @hubspot/api-client against the sandbox: v3 and v4 paths by its own methods,
// date paths by apiRequest.
import { Client } from '@hubspot/api-client';
import { ApiException } from '@hubspot/api-client/lib/codegen/crm/contacts/apis/exception.js';
import { add, assert, break_, flow, free, limited, many, records, refused, requests, within } from './flows.mjs';

const at = (base, more = {}) => new Client({ accessToken: 'pat-eu1-sandbox', basePath: `${base}/hubspot`, ...more });
const client = at(free);
const { contacts, properties, associations, owners } = client.crm;
const { calls, notes, leads, basicApi, batchApi, searchApi } = client.crm.objects;

const person = (properties) => contacts.basicApi.create({ properties, associations: [] });
const stamp = { hs_timestamp: '2026-11-21T10:00:00Z' };
const toContact = (id) => ({ to: { id }, types: [{ associationCategory: 'HUBSPOT_DEFINED', associationTypeId: 194 }] });

await flow('a contact is created, read by id and by e-mail, updated and archived', async () => {
  const made = await person({ email: 'erika@example.com', firstname: 'Erika', phone: '+49 30 23125017' });
  assert.equal(made.properties.email, 'erika@example.com');
  assert.ok(made.createdAt instanceof Date && !Number.isNaN(made.createdAt.getTime()));
  assert.equal(made.archived, false);
  const read = await contacts.basicApi.getById(made.id, ['firstname', 'phone']);
  assert.equal(read.properties.phone, '+49 30 23125017');
  const byMail = await contacts.basicApi.getById('erika@example.com', ['firstname'], undefined, undefined, false, 'email');
  assert.equal(byMail.id, made.id);
  const changed = await contacts.basicApi.update(made.id, { properties: { lastname: 'Muster' } });
  assert.equal(changed.properties.lastname, 'Muster');
  await contacts.basicApi.update('erika@example.com', { properties: { jobtitle: 'Cook' } }, 'email');
  assert.equal((await records('hubspot', 'contacts'))[0].fields.jobtitle, 'Cook');
  await contacts.basicApi.archive(made.id);
  const gone = await refused(contacts.basicApi.getById(made.id));
  assert.equal(gone.code, 404);
});

await flow('pages of contacts are walked to the end', async () => {
  for (let i = 0; i < 7; i++) await add('hubspot', 'contacts', { firstname: `P${i}` });
  const first = await contacts.basicApi.getPage(3, undefined, ['firstname']);
  assert.equal(first.results.length, 3);
  assert.ok(first.paging.next.after);
  const all = await contacts.getAll(3, undefined, ['firstname']);
  assert.deepEqual(all.map((c) => c.properties.firstname), ['P0', 'P1', 'P2', 'P3', 'P4', 'P5', 'P6']);
});

await flow('contacts are upserted in a batch by a unique property', async () => {
  const inputs = ['c-1', 'c-2'].map((id) => ({ id, idProperty: 'telli_contact_id', properties: { firstname: id } }));
  const made = await contacts.batchApi.upsert({ inputs });
  assert.equal(made.status, 'COMPLETE');
  assert.ok(made.results.every((r) => r._new === true));
  assert.ok(made.completedAt instanceof Date);
  const again = await contacts.batchApi.upsert({ inputs });
  assert.ok(again.results.every((r) => r._new === false));
  assert.deepEqual(again.results.map((r) => r.id).sort(), made.results.map((r) => r.id).sort());
  assert.equal((await records('hubspot', 'contacts')).length, 2);
});

await flow('contacts are created, read, updated and archived in batches', async () => {
  const made = await contacts.batchApi.create({ inputs: ['a', 'b', 'c'].map((n) => ({ properties: { firstname: n, email: `${n}@example.com` }, associations: [] })) });
  assert.equal(made.results.length, 3);
  const ids = made.results.map((r) => r.id);
  const read = await contacts.batchApi.read({ inputs: ids.map((id) => ({ id })), properties: ['firstname'], propertiesWithHistory: [] });
  assert.deepEqual(read.results.map((r) => r.id).sort(), [...ids].sort());
  const byMail = await contacts.batchApi.read({ inputs: [{ id: 'b@example.com' }], idProperty: 'email', properties: ['firstname'], propertiesWithHistory: [] });
  assert.equal(byMail.results[0].properties.firstname, 'b');
  const changed = await contacts.batchApi.update({ inputs: ids.map((id) => ({ id, properties: { jobtitle: 'Cook' } })) });
  assert.ok(changed.results.every((r) => r.properties.jobtitle === 'Cook'));
  await contacts.batchApi.archive({ inputs: ids.map((id) => ({ id })) });
  assert.equal((await records('hubspot', 'contacts')).length, 0);
});

await flow('a batch with trace ids fails in part and says which', async () => {
  const bad = await contacts.batchApi.upsert({
    inputs: [
      { id: 'c-1', idProperty: 'telli_contact_id', properties: { firstname: 'A' }, objectWriteTraceId: 't-1' },
      { id: 'c-2', idProperty: 'telli_contact_id', properties: { nosuch: 'B' }, objectWriteTraceId: 't-2' },
    ],
  });
  assert.equal(bad.numErrors, 1);
  assert.deepEqual(bad.errors[0].context.objectWriteTraceId, ['t-2']);
  assert.equal(bad.errors[0].category, 'VALIDATION_ERROR');
  assert.equal(bad.results.length, 1);
  assert.equal(bad.results[0].objectWriteTraceId, 't-1');
});

await flow('a batch that reads what is not there is answered in part', async () => {
  const made = await person({ firstname: 'A' });
  const read = await contacts.batchApi.read({ inputs: [{ id: made.id }, { id: '999999' }], properties: [], propertiesWithHistory: [] });
  assert.equal(read.results.length, 1);
  assert.deepEqual(read.errors[0].context.ids, ['999999']);
});

await flow('contacts are searched by filters, sorted and paged', async () => {
  for (const n of ['1', '2', '3', '4']) await person({ email: `s${n}@example.com`, firstname: 'Search', lastname: n });
  const search = (limit, after) => contacts.searchApi.doSearch({
    filterGroups: [{ filters: [{ propertyName: 'firstname', operator: 'EQ', value: 'Search' }] }],
    sorts: ['-lastname'], properties: ['lastname'], limit, after,
  });
  const first = await search(3, '0');
  assert.equal(first.total, 4);
  assert.deepEqual(first.results.map((r) => r.properties.lastname), ['4', '3', '2']);
  const rest = await search(3, first.paging.next.after);
  assert.deepEqual(rest.results.map((r) => r.properties.lastname), ['1']);
  const among = await contacts.searchApi.doSearch({
    filterGroups: [{ filters: [{ propertyName: 'email', operator: 'IN', values: ['s1@example.com', 's2@example.com'] }] }],
    sorts: [], properties: [], limit: 10, after: '0',
  });
  assert.equal(among.total, 2);
});

await flow('a phone number is found by its national digits and not as E.164', async () => {
  await person({ firstname: 'Erika', phone: '+49 (0)30 23125 017' });
  const by = async (value) => (await contacts.searchApi.doSearch({
    filterGroups: [{ filters: [{ propertyName: 'hs_searchable_calculated_phone_number', operator: 'EQ', value }] }],
    sorts: [], properties: [], limit: 10, after: '0',
  })).total;
  assert.equal(await by('3023125017'), 1);
  assert.equal(await by('+493023125017'), 0);
});

await flow('a call and a note are created on a contact, and the links are read back', async () => {
  const c = await person({ firstname: 'Erika' });
  const call = await calls.basicApi.create({ properties: { ...stamp, hs_call_direction: 'OUTBOUND', hs_call_duration: '63000', telli_call_id: 'k-1' }, associations: [toContact(c.id)] });
  await notes.basicApi.create({ properties: { ...stamp, hs_note_body: 'Hello' }, associations: [{ to: { id: c.id }, types: [{ associationCategory: 'HUBSPOT_DEFINED', associationTypeId: 202 }] }] });
  const links = await associations.v4.basicApi.getPage('calls', call.id, 'contacts');
  assert.equal(String(links.results[0].toObjectId), c.id);
  assert.equal(links.results[0].associationTypes[0].typeId, 194);
  const read = await calls.basicApi.getById(call.id, ['hs_call_duration'], undefined, ['contacts']);
  assert.equal(read.associations.contacts.results[0].id, c.id);
  const again = await calls.batchApi.upsert({ inputs: [{ id: 'k-1', idProperty: 'telli_call_id', properties: { hs_call_title: 'Again' } }] });
  assert.equal(again.results[0].id, call.id);
  assert.equal((await records('hubspot', 'calls')).length, 1);
});

await flow('records are linked and unlinked by the associations API', async () => {
  const c = await person({ firstname: 'Erika' });
  const firm = await basicApi.create('companies', { properties: { name: 'Firm' }, associations: [] });
  const { batchApi: batch, basicApi: one, schema } = associations.v4;
  const both = await one.createDefault('contacts', c.id, 'companies', firm.id);
  assert.equal(both.status, 'COMPLETE');
  const labels = await schema.definitionsApi.getAll('contacts', 'companies');
  assert.ok(labels.results.some((l) => l.label === 'Primary' && l.typeId === 1));
  await one.create('contacts', c.id, 'companies', firm.id, [{ associationCategory: 'HUBSPOT_DEFINED', associationTypeId: 1 }]);
  await batch.createDefault('contacts', 'companies', { inputs: [{ _from: { id: c.id }, to: { id: firm.id } }] });
  await batch.create('contacts', 'companies', { inputs: [{ _from: { id: c.id }, to: { id: firm.id }, types: [{ associationCategory: 'HUBSPOT_DEFINED', associationTypeId: 279 }] }] });
  const read = await batch.getPage('contacts', 'companies', { inputs: [{ id: c.id }] });
  assert.equal(read.results[0].to[0].associationTypes.length, 2);
  await batch.archive('contacts', 'companies', { inputs: [{ _from: { id: c.id }, to: [{ id: firm.id }] }] });
  assert.equal((await one.getPage('contacts', c.id, 'companies')).results.length, 0);
});

await flow('leads, deals, custom objects and a label of one\'s own are written', async () => {
  const c = await person({ firstname: 'Erika' });
  await leads.basicApi.create({ properties: { hs_lead_name: 'Lead' }, associations: [{ to: { id: c.id }, types: [{ associationCategory: 'HUBSPOT_DEFINED', associationTypeId: 578 }] }] });
  const deal = await client.crm.deals.basicApi.create({ properties: { dealname: 'Deal', dealstage: 'appointmentscheduled', pipeline: 'default' }, associations: [] });
  const label = await associations.v4.schema.definitionsApi.create('contacts', 'deals', { label: 'Decides', name: 'decides', inverseLabel: 'Decided by' });
  await associations.v4.basicApi.create('contacts', c.id, 'deals', deal.id, [{ associationCategory: 'USER_DEFINED', associationTypeId: label.results[0].typeId }]);
  const links = await associations.v4.basicApi.getPage('contacts', c.id, 'deals');
  assert.equal(links.results[0].associationTypes[0].label, 'Decides');
  const schemas = await client.crm.schemas.coreApi.getAll();
  const roofs = schemas.results.find((s) => s.name === 'roofs');
  const made = await batchApi.upsert(roofs.objectTypeId, { inputs: [{ id: 'r-1', idProperty: 'roof_id', properties: { roof_name: 'Roof' } }] });
  assert.equal(made.results[0]._new, true);
  const found = await searchApi.doSearch(roofs.fullyQualifiedName, { filterGroups: [{ filters: [{ propertyName: 'roof_id', operator: 'EQ', value: 'r-1' }] }], sorts: [], properties: ['roof_name'], limit: 1, after: '0' });
  assert.equal(found.results[0].properties.roof_name, 'Roof');
});

await flow('properties are listed, created, changed and archived', async () => {
  const all = await properties.coreApi.getAll('contacts');
  const status = all.results.find((p) => p.name === 'telli_status');
  assert.deepEqual(status.options.map((o) => o.value), ['new', 'pending', 'reached', 'closed']);
  assert.equal(all.results.find((p) => p.name === 'createdate').modificationMetadata.readOnlyValue, true);
  assert.equal((await properties.coreApi.getByName('contacts', 'telli_contact_id')).hasUniqueValue, true);
  await properties.groupsApi.create('contacts', { name: 'phone_calls', label: 'Phone calls', displayOrder: -1 });
  const made = await properties.coreApi.create('contacts', { name: 'last_topic', label: 'Last topic', type: 'enumeration', fieldType: 'select', groupName: 'phone_calls', options: [{ label: 'Roof', value: 'roof', displayOrder: 0, hidden: false }] });
  assert.equal(made.groupName, 'phone_calls');
  const changed = await properties.coreApi.update('contacts', 'last_topic', { label: 'Newest topic' });
  assert.equal(changed.label, 'Newest topic');
  const twice = await refused(properties.coreApi.create('contacts', { name: 'last_topic', label: 'x', type: 'string', fieldType: 'text', groupName: 'phone_calls' }));
  assert.equal(twice.code, 409);
  await properties.coreApi.archive('contacts', 'last_topic');
  assert.equal((await refused(properties.coreApi.getByName('contacts', 'last_topic'))).code, 404);
});

await flow('owners are found by e-mail and by id', async () => {
  const found = await owners.ownersApi.getPage('owner.two@example.com', undefined, 10);
  assert.equal(found.results.length, 1);
  const one = await owners.ownersApi.getById(Number(found.results[0].id));
  assert.equal(one.email, 'owner.two@example.com');
});

await flow('contacts are merged, and the old id leads to the new', async () => {
  const [a, b] = [await person({ email: 'a@example.com' }), await person({ email: 'b@example.com' })];
  const kept = await contacts.basicApi.merge({ primaryObjectId: a.id, objectIdToMerge: b.id });
  assert.equal(kept.id, a.id);
  assert.equal((await contacts.basicApi.getById(b.id)).id, a.id);
});

await flow('a contact that exists is refused with the id in the text', async () => {
  const made = await person({ email: 'a@example.com' });
  const e = await refused(person({ email: 'A@example.com' }));
  assert.ok(e instanceof ApiException);
  assert.equal(e.code, 409);
  assert.equal(e.body.category, 'CONFLICT');
  assert.equal(e.body.message, `Contact already exists. Existing ID: ${made.id}`);
  assert.ok(e.body.correlationId);
});

await flow('refused values are named inside the message', async () => {
  const e = await refused(person({ email: 'a@example.com', missing: 'x', telli_status: 'Reached' }));
  assert.equal(e.code, 400);
  assert.equal(e.body.category, 'VALIDATION_ERROR');
  const details = JSON.parse(e.body.message.replace('Property values were not valid: ', ''));
  assert.deepEqual(details.map((d) => [d.name, d.error]).sort(), [['missing', 'PROPERTY_DOESNT_EXIST'], ['telli_status', 'INVALID_OPTION']]);
});

await flow('a token that is refused and a scope that is missing are told apart', async () => {
  await break_({ crm: 'hubspot', status: 401, times: 1 });
  const expired = await refused(contacts.basicApi.getPage(1));
  assert.deepEqual([expired.code, expired.body.category], [401, 'EXPIRED_AUTHENTICATION']);
  await break_({ crm: 'hubspot', status: 403, times: 1 });
  const scope = await refused(contacts.basicApi.getPage(1));
  assert.deepEqual([scope.code, scope.body.category], [403, 'MISSING_SCOPES']);
});

await flow('a server error is tried again by the client', async () => {
  await break_({ crm: 'hubspot', status: 500, times: 2 });
  const made = await at(free, { numberOfApiCallRetries: 3 }).crm.contacts.basicApi.create({ properties: { firstname: 'A' }, associations: [] });
  assert.ok(made.id);
  assert.equal((await requests('hubspot')).length, 3);
  at(free); // all clients share the retries that the newest one set
});

await flow('the ten-second limit is told in headers, and refused beyond', async () => {
  const hurried = at(limited);
  const all = await within(10_000, () => many(25, (i) => hurried.crm.contacts.basicApi.create({ properties: { firstname: `A${i}` }, associations: [] })));
  const late = all.filter((r) => r.status === 'rejected').map((r) => r.reason);
  assert.equal(late.length, 5);
  for (const e of late) {
    assert.equal(e.code, 429);
    assert.deepEqual([e.body.errorType, e.body.policyName, e.body.message], ['RATE_LIMIT', 'TEN_SECONDLY_ROLLING', 'You have reached your ten_secondly_rolling limit.']);
    assert.equal(e.headers['x-hubspot-ratelimit-max'], '20');
    assert.equal(e.headers['x-hubspot-ratelimit-remaining'], '0');
    assert.equal(e.headers['x-hubspot-ratelimit-interval-milliseconds'], '10000');
    assert.equal(e.headers['retry-after'], undefined);
  }
});

await flow('the limit of searches is waited out by the client', async () => {
  const patient = at(limited, { numberOfApiCallRetries: 4 });
  let met = false;
  for (let round = 0; round < 5 && !met; round++) { // a machine that stands still spreads them over seconds
    const all = await many(8, () => patient.crm.contacts.searchApi.doSearch({ filterGroups: [], sorts: [], properties: [], limit: 1, after: '0' }));
    assert.ok(all.every((r) => r.status === 'fulfilled'), JSON.stringify(all));
    met = (await requests('hubspot', limited)).some((r) => r.endsWith(' 429'));
  }
  assert.ok(met);
  at(free); // as above
});

await flow('date paths are served to the client\'s plain requests', async () => {
  const send = (method, path, body) => client.apiRequest({ method, path, body });
  const made = await send('POST', '/crm/objects/2026-09/contacts', { properties: { email: 'd@example.com' } });
  assert.equal(made.status, 201);
  const { id } = await made.json();
  const upsert = await send('POST', '/crm/objects/2026-09/contacts/batch/upsert', { inputs: [{ id: 'c-1', idProperty: 'telli_contact_id', properties: { firstname: 'A' } }] });
  assert.equal(upsert.status, 200);
  assert.equal((await upsert.json()).results[0].new, true);
  const call = await (await send('POST', '/crm/objects/2026-09/calls', { properties: stamp })).json();
  assert.equal((await send('PUT', `/crm/objects/2026-09/calls/${call.id}/associations/default/contacts/${id}`)).status, 200);
  for (const path of ['properties/2026-09/contacts', 'owners/2026-09', 'associations/2026-09/calls/contacts/labels']) {
    assert.equal((await send('GET', `/crm/${path}`)).status, 200, path);
  }
  assert.equal((await send('POST', '/crm/objects/2026-09/contacts', { properties: { email: 'd@example.com' } })).status, 409);
});

await flow('access is granted by OAuth, renewed, and good for calls', async () => {
  const back = 'https://app.example.com/back';
  const page = client.oauth.getAuthorizationUrl('app-1', back, 'crm.objects.contacts.read').replace(/^https:\/\/[^/]+/, `${free}/hubspot`);
  const sent = await fetch(page, { redirect: 'manual' });
  const code = new URL(sent.headers.get('location')).searchParams.get('code');
  const anonymous = new Client({ basePath: `${free}/hubspot` });
  const { tokensApi } = anonymous.oauth;
  const first = await tokensApi.create('authorization_code', code, back, 'app-1', 's3cret');
  assert.equal(first.expiresIn, 1800);
  const next = await tokensApi.create('refresh_token', undefined, undefined, 'app-1', 's3cret', first.refreshToken);
  assert.notEqual(next.accessToken, first.accessToken);
  anonymous.setAccessToken(next.accessToken);
  assert.equal((await anonymous.crm.contacts.basicApi.getPage(1)).results.length, 0);
  const e = await refused(tokensApi.create('refresh_token', undefined, undefined, 'app-1', 's3cret', 'nosuch'));
  assert.deepEqual([e.code, e.body.status], [400, 'BAD_REFRESH_TOKEN']);
});
