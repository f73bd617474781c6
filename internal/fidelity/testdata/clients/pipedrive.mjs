// pipedrive (client-nodejs) against the sandbox: v2, and of v1 what v2 lacks.
// The Go test holds every request and answer against the OpenAPI documents.
import v1 from 'pipedrive/v1';
import v2 from 'pipedrive/v2';
import { assert, break_, flow, free, limited, many, records, refused, requests, within } from './flows.mjs';

const two = (base, more = { apiKey: 'sandbox' }) => new v2.Configuration({ basePath: `${base}/pipedrive/api/v2`, ...more });
const one = (base, more = { apiKey: 'sandbox' }) => new v1.Configuration({ basePath: `${base}/pipedrive/v1`, ...more });

const persons = new v2.PersonsApi(two(free));
const personFields = new v2.PersonFieldsApi(two(free));
const organizations = new v2.OrganizationsApi(two(free));
const deals = new v2.DealsApi(two(free));
const activities = new v2.ActivitiesApi(two(free));
const items = new v2.ItemSearchApi(two(free));
const notes = new v1.NotesApi(one(free));
const leads = new v1.LeadsApi(one(free));
const callLogs = new v1.CallLogsApi(one(free));

const person = async (body) => (await persons.addPerson({ AddPersonRequest: body })).data;
const fieldKey = async (name) => (await personFields.getPersonFields({})).data.find((f) => f.field_name === name).field_code;

// The client throws the body of a refusal away from its status and headers.
async function wrong(promise, text) {
  const e = await refused(promise);
  assert.equal(e.success, false, JSON.stringify(e));
  assert.match(e.error, text);
  assert.match(e.error_info, /developers\.pipedrive\.com/);
  assert.equal(e.data, null);
}
const last = async (at = free) => (await requests('pipedrive', at)).at(-1);

await flow('a person is created, read, updated and deleted', async () => {
  const made = await person({ name: 'Erika Muster', emails: [{ value: 'e@example.com', primary: true, label: 'work' }], phones: [{ value: '+49 30 1' }] });
  assert.equal(made.first_name, 'Erika');
  assert.equal(made.phones[0].primary, true);
  const read = (await persons.getPerson({ id: made.id })).data;
  assert.equal(read.emails[0].value, 'e@example.com');
  const changed = (await persons.updatePerson({ id: made.id, UpdatePersonRequest: { phones: [{ value: '+49301', primary: true, label: 'mobile' }], owner_id: 90002 } })).data;
  assert.deepEqual([changed.phones[0].value, changed.owner_id, changed.emails.length], ['+49301', 90002, 1]);
  assert.deepEqual((await persons.deletePerson({ id: made.id })).data, { id: made.id });
  assert.equal((await persons.getPerson({ id: made.id })).data.is_deleted, true);
  await refused(persons.updatePerson({ id: made.id, UpdatePersonRequest: { name: 'x' } }));
  assert.match(await last(), / 410$/);
});

await flow('custom fields are written by their keys and options by their ids', async () => {
  const [id, status, interests] = [await fieldKey('Telli contact id'), await fieldKey('Telli status'), await fieldKey('Interests')];
  const fields = (await personFields.getPersonFields({})).data;
  const options = (key) => Object.fromEntries(fields.find((f) => f.field_code === key).options.map((o) => [o.label, o.id]));
  const made = await person({ name: 'Erika', custom_fields: { [id]: 'abc-1', [status]: options(status).reached, [interests]: [options(interests).Solar, options(interests).Storage] } });
  assert.equal(made.custom_fields[status], options(status).reached);
  const [shown] = await records('pipedrive', 'persons');
  assert.deepEqual([shown.fields['Telli status'], shown.fields.Interests], ['reached', ['Solar', 'Storage']]);
  const cleared = (await persons.updatePerson({ id: made.id, UpdatePersonRequest: { custom_fields: { [status]: null } } })).data;
  assert.deepEqual([cleared.custom_fields[status], cleared.custom_fields[id]], [null, 'abc-1']);
  await wrong(persons.updatePerson({ id: made.id, UpdatePersonRequest: { custom_fields: { [status]: 'reached' } } }), /option/);
});

await flow('fields are made and given options', async () => {
  const made = (await personFields.addPersonField({ AddPersonFieldRequest: { field_name: 'Topic', field_type: 'enum', options: [{ label: 'Roof' }] } })).data;
  assert.match(made.field_code, /^[0-9a-f]{40}$/);
  await personFields.addPersonFieldOptions({ field_code: made.field_code, AddDealFieldOptionsRequestInner: [{ label: 'Heat' }] });
  const read = (await personFields.getPersonField({ field_code: made.field_code })).data;
  assert.deepEqual(read.options.map((o) => o.label), ['Roof', 'Heat']);
  const types = (await new v1.ActivityTypesApi(one(free)).getActivityTypes()).data;
  assert.ok(types.some((t) => t.key_string === 'call'));
  assert.ok((await new v2.ActivityFieldsApi(two(free)).getActivityFields({})).data.length > 5);
  assert.ok((await new v1.LeadFieldsApi(one(free)).getLeadFields({})).data.some((f) => f.name === 'Source'));
  assert.equal((await new v1.LeadLabelsApi(one(free)).getLeadLabels()).data[0].name, 'Hot');
});

await flow('persons are searched by address, by number as it stands, and by a field', async () => {
  const key = await fieldKey('Telli contact id');
  const made = await person({ name: 'Erika Muster', emails: [{ value: 'e@example.com' }], phones: [{ value: '+49 30 23125017' }], custom_fields: { [key]: 'abc-1' } });
  const search = async (term, fields, exact_match = true) => (await persons.searchPersons({ term, fields, exact_match })).data.items.map((i) => i.item.id);
  assert.deepEqual(await search('E@EXAMPLE.COM', 'email'), [made.id]);
  assert.deepEqual(await search('+49 30 23125017', 'phone'), [made.id]);
  assert.deepEqual(await search('+493023125017', 'phone'), []);
  assert.deepEqual(await search('must', 'name', false), [made.id]);
  const byField = (await items.searchItemByField({ term: 'abc-1', entity_type: 'person', field: key, match: 'exact' })).data;
  assert.equal(byField.length, 1);
  const anything = (await items.searchItem({ term: 'erika', item_types: 'person' })).data.items;
  assert.equal(anything[0].item.name, 'Erika Muster');
  await wrong(persons.searchPersons({ term: 'e', fields: 'email' }), /2 characters/);
});

await flow('what has no upsert is searched, and then created or updated', async () => {
  const key = await fieldKey('Telli contact id');
  const upsert = async (id, name) => {
    const { items: found } = (await persons.searchPersons({ term: id, fields: 'custom_fields', exact_match: true })).data;
    return found.length
      ? (await persons.updatePerson({ id: found[0].item.id, UpdatePersonRequest: { name } })).data
      : person({ name, custom_fields: { [key]: id } });
  };
  const made = await upsert('abc-1', 'Erika');
  const again = await upsert('abc-1', 'Erika M');
  assert.equal(again.id, made.id);
  assert.deepEqual((await records('pipedrive', 'persons')).map((r) => r.fields.name), ['Erika M']);
});

await flow('lists are walked by cursor', async () => {
  for (let i = 0; i < 5; i++) await person({ name: `P${i}` });
  const seen = [];
  let cursor;
  do {
    const page = await persons.getPersons({ limit: 2, cursor, sort_by: 'id', sort_direction: 'asc' });
    seen.push(...page.data.map((p) => p.name));
    cursor = page.additional_data.next_cursor;
  } while (cursor);
  assert.deepEqual(seen, ['P0', 'P1', 'P2', 'P3', 'P4']);
  assert.equal((await persons.getPersons({ updated_since: '2099-01-01T00:00:00Z' })).data.length, 0);
});

await flow('a call is logged on a person by its participants', async () => {
  const [org] = [(await organizations.addOrganization({ AddOrganizationRequest: { name: 'Firm' } })).data];
  const who = await person({ name: 'Erika', org_id: org.id });
  const deal = (await deals.addDeal({ AddDealRequest: { title: 'Roof', person_id: who.id, org_id: org.id } })).data;
  assert.equal(deal.status, 'open');
  const made = (await activities.addActivity({ AddActivityRequest: { subject: 'Call', type: 'call', participants: [{ person_id: who.id, primary: true }], deal_id: deal.id, org_id: org.id, due_date: '2026-11-21', due_time: '10:00', duration: '00:05', done: true, note: '<b>Hello</b>' } })).data;
  assert.deepEqual([made.person_id, made.deal_id, made.done], [who.id, deal.id, true]);
  const lost = (await activities.addActivity({ AddActivityRequest: { subject: 'Call', type: 'call', person_id: who.id } })).data;
  assert.equal(lost.person_id, null); // the document shows the field as writable
  assert.deepEqual((await activities.getActivities({ person_id: who.id })).data.map((a) => a.id), [made.id]);
  const changed = (await activities.updateActivity({ id: made.id, AddActivityRequest: { subject: 'Long call' } })).data;
  assert.equal(changed.subject, 'Long call');
  assert.equal((await deals.getDeals({ person_id: who.id, status: 'open' })).data.length, 1);
  assert.equal((await deals.searchDeals({ term: 'roof', fields: 'title' })).data.items.length, 1);
  assert.equal((await organizations.searchOrganization({ term: 'firm', fields: 'name' })).data.items.length, 1);
});

await flow('notes and leads live in v1', async () => {
  const who = await person({ name: 'Erika' });
  const note = (await notes.addNote({ AddNoteRequest: { content: 'Hello', person_id: who.id } })).data;
  assert.equal((await notes.updateNote({ id: note.id, NoteRequest: { content: 'Hello again' } })).data.content, 'Hello again');
  assert.equal((await notes.getNotes({ person_id: who.id })).data.length, 1);
  const lead = (await leads.addLead({ AddLeadRequest: { title: 'Roof', person_id: who.id } })).data;
  assert.match(lead.id, /^[0-9a-f-]{36}$/);
  assert.match(await last(), / 201$/);
  assert.equal((await leads.updateLead({ id: lead.id, UpdateLeadRequest: { title: 'Big roof' } })).data.title, 'Big roof');
  assert.equal((await leads.getLead({ id: lead.id })).data.person_id, who.id);
  const found = (await new v2.LeadsApi(two(free)).searchLeads({ term: 'roof' })).data.items;
  assert.equal(found[0].item.id, lead.id);
  await notes.deleteNote({ id: note.id });
  await leads.deleteLead({ id: lead.id });
  assert.equal((await records('pipedrive', 'leads')).length, 0);
});

await flow('a call log is made, given its recording once, and listed', async () => {
  const who = await person({ name: 'Erika' });
  const made = (await callLogs.addCallLog({ AddCallLogRequest: { to_phone_number: '+4930', outcome: 'connected', start_time: '2026-11-21 10:00:00', end_time: '2026-11-21 10:01:03', duration: '63', person_id: who.id } })).data;
  assert.equal(made.has_recording, false);
  const sound = () => new Blob(['RIFF'], { type: 'audio/wav' });
  assert.equal((await callLogs.addCallLogAudioFile({ id: made.id, file: sound() })).success, true);
  assert.equal((await callLogs.getCallLog({ id: made.id })).data.has_recording, true);
  await refused(callLogs.addCallLogAudioFile({ id: made.id, file: sound() }));
  assert.match(await last(), / 409$/);
  assert.equal((await callLogs.getUserCallLogs({})).data.length, 1);
  await wrong(callLogs.addCallLog({ AddCallLogRequest: { to_phone_number: '1', start_time: '2026-11-21 10:00:00', end_time: '2026-11-21 10:00:00' } }), /"outcome" is required/);
  assert.equal((await callLogs.deleteCallLog({ id: made.id })).success, true);
});

await flow('users are listed and found by e-mail', async () => {
  const users = new v1.UsersApi(one(free));
  assert.equal((await users.getUsers()).data.length, 3);
  assert.equal((await users.getCurrentUser()).data.is_you, true);
  assert.equal((await users.findUsersByName({ term: 'owner.two@example.com', search_by_email: 1 })).data[0].id, 90002);
  assert.equal((await users.getUser({ id: 90001 })).data.name, 'Owner One');
});

await flow('refusals carry the vendor\'s words', async () => {
  await wrong(person({}), /required/);
  await wrong(person({ name: 'x', owner_id: '90001' }), /owner_id/);
  await wrong(person({ name: 'x', email: 'e@example.com' }), /'email' is not allowed/);
  await wrong(persons.getPerson({ id: 999 }), /Person not found/);
  await wrong(activities.addActivity({ AddActivityRequest: { type: 'Call' } }), /key_string/);
  await wrong(notes.addNote({ AddNoteRequest: { content: 'x' } }), /One of the following/);
  await break_({ crm: 'pipedrive', status: 401, times: 1 });
  await wrong(persons.getPersons({}), /unauthorized/);
  await break_({ crm: 'pipedrive', status: 403, times: 1, body: 'feature_capping_deals_limit' });
  const e = await refused(deals.addDeal({ AddDealRequest: { title: 'x' } }));
  assert.equal(e.code, 'feature_capping_deals_limit');
  await break_({ crm: 'pipedrive', status: 403, times: 1, body: 'edge' });
  assert.match(String(await refused(persons.getPersons({}))), /^<html>/);
});

await flow('too many requests in two seconds are refused, and the headers tell', async () => {
  const api = new v1.UsersApi(one(limited));
  const [all, plain] = await within(2_000, async () => [
    await many(25, () => api.getUser({ id: 90001 })),
    await fetch(`${limited}/pipedrive/v1/users/90001`, { headers: { 'x-api-token': 'sandbox' } }),
  ]);
  const late = all.filter((r) => r.status === 'rejected').map((r) => r.reason);
  assert.equal(late.length, 5);
  for (const e of late) assert.equal(e.success, false);
  assert.equal(plain.status, 429);
  assert.deepEqual(['limit', 'remaining', 'reset'].map((h) => plain.headers.get(`x-ratelimit-${h}`)), ['20', '0', '2']);
  assert.equal(plain.headers.get('retry-after'), null);
});

await flow('the tokens of a day are used up by searches before the burst is', async () => {
  const api = new v2.PersonsApi(two(limited)); // a day of 100 tokens, a search costs 20
  for (let i = 0; i < 5; i++) assert.equal((await api.searchPersons({ term: 'erika' })).data.items.length, 0);
  await refused(api.searchPersons({ term: 'erika' }));
  assert.match(await last(limited), / 429$/);
});

await flow('access is granted by OAuth and followed to the company\'s own address', async () => {
  for (const [version, lib, api, call] of [['v2', v2, 'PersonsApi', 'getPersons'], ['v1', v1, 'UsersApi', 'getUsers']]) {
    const grant = new lib.OAuth2Configuration({ clientId: 'app-1', clientSecret: 's3cret', redirectUri: 'https://app.example.com/back', host: `${free}/pipedrive` });
    const sent = await fetch(grant.authorizationUrl, { redirect: 'manual' });
    const token = await grant.authorize(new URL(sent.headers.get('location')).searchParams.get('code'));
    assert.equal(token.expires_in, 3600);
    assert.equal(grant.basePath, `${free}/pipedrive/api/${version}`);
    const granted = new lib[api](new lib.Configuration({ accessToken: grant.getAccessToken, basePath: grant.basePath }));
    assert.equal((await granted[call]({})).success, true);
    const before = grant.accessToken;
    grant.expiresAt = 1; // long ago: the client renews before the next call
    assert.equal((await granted[call]({})).success, true);
    assert.notEqual(grant.accessToken, before);
    grant.refreshToken = 'nosuch';
    const e = await refused(grant.tokenRefresh());
    assert.equal(e.error, 'invalid_grant');
  }
});
