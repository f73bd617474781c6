// jsforce against the sandbox.
import { createHmac } from 'node:crypto';
import jsforce from 'jsforce';
import { add, assert, break_, flow, free, limited, many, records, refused, requests } from './flows.mjs';

const version = '68.0';
// instanceUrl is where a token answer would point to.
const at = (base, more = {}) => new jsforce.Connection({ instanceUrl: `${base}/salesforce`, accessToken: 'session', version, ...more });
const conn = at(free);
const contacts = conn.sobject('Contact');

async function wrong(promise, code) {
  const e = await refused(promise);
  assert.equal(e.errorCode, code, e.message);
  return e;
}

await flow('a contact is created, retrieved, updated and destroyed', async () => {
  const made = await contacts.create({ FirstName: 'Erika', LastName: 'Muster', Email: 'Erika@example.com' });
  assert.deepEqual([made.success, made.errors], [true, []]);
  assert.match(made.id, /^003[0-9A-Za-z]{15}$/);
  const read = await contacts.retrieve(made.id);
  assert.deepEqual([read.Name, read.Email, read.attributes.type], ['Erika Muster', 'erika@example.com', 'Contact']);
  const changed = await contacts.update({ Id: made.id, Phone: '+4930' });
  assert.deepEqual(changed, { id: made.id, success: true, errors: [] });
  const some = await contacts.retrieve(made.id, { fields: ['Phone'] });
  assert.deepEqual(Object.keys(some).sort(), ['Id', 'Phone', 'attributes']);
  await contacts.destroy(made.id);
  await wrong(contacts.update({ Id: made.id, Phone: '1' }), 'ENTITY_IS_DELETED');
});

await flow('a record is upserted by an external id', async () => {
  const made = await contacts.upsert({ Telli_Contact_Id__c: 'c-1', LastName: 'Muster' }, 'Telli_Contact_Id__c');
  assert.equal(made.created, true);
  const again = await contacts.upsert({ Telli_Contact_Id__c: 'c-1', LastName: 'Meier' }, 'Telli_Contact_Id__c');
  assert.deepEqual([again.id, again.created, again.success], [made.id, false, true]);
  assert.deepEqual((await records('salesforce', 'Contact')).map((r) => r.fields.LastName), ['Meier']);
});

await flow('an upsert that means several records names them', async () => {
  for (const n of ['A', 'B']) await add('salesforce', 'Contact', { LastName: n, Email: 'both@example.com' });
  const e = await wrong(contacts.upsert({ Email: 'both@example.com', LastName: 'C' }, 'Email'), 'MULTIPLE_CHOICES');
  assert.equal(e.content.length, 2);
  assert.match(e.content[0], /\/sobjects\/Contact\/003/);
});

await flow('200 records are written in one request, and more in several', async () => {
  const all = Array.from({ length: 450 }, (_, i) => ({ Telli_Contact_Id__c: `c-${i}`, LastName: `L${i}` }));
  const made = await contacts.upsert(all, 'Telli_Contact_Id__c', { allowRecursive: true });
  assert.equal(made.length, 450);
  assert.ok(made.every((r) => r.success && r.created));
  assert.equal((await requests('salesforce')).length, 3);
  const read = await contacts.retrieve(made.slice(0, 3).map((r) => r.id), { fields: ['LastName'] });
  assert.deepEqual(read.map((r) => r.LastName), ['L0', 'L1', 'L2']);
  const changed = await contacts.update(made.slice(0, 200).map((r) => ({ Id: r.id, Title: 'Cook' })));
  assert.ok(changed.every((r) => r.success));
  const gone = await contacts.destroy(made.slice(0, 10).map((r) => r.id)); // ids go into the address
  assert.ok(gone.every((r) => r.success));
  const e = await wrong(conn.requestPost('/composite/sobjects', { records: Array.from({ length: 201 }, () => ({ attributes: { type: 'Contact' }, LastName: 'x' })) }), 'INVALID_INPUT');
  assert.match(e.message, /200/);
});

await flow('a collection fails in part, in the order of the request', async () => {
  const rows = await contacts.create([{ LastName: 'A' }, { FirstName: 'B' }, { LastName: 'C', Telli_Status__c: 'nosuch' }, { LastName: 'D', Email: 'nope' }]);
  assert.deepEqual(rows.map((r) => r.success), [true, false, false, false]);
  assert.deepEqual(rows.slice(1).map((r) => [r.errors[0].statusCode, r.errors[0].fields]), [
    ['REQUIRED_FIELD_MISSING', ['LastName']], ['INVALID_OR_NULL_FOR_RESTRICTED_PICKLIST', ['Telli_Status__c']], ['INVALID_EMAIL_ADDRESS', ['Email']],
  ]);
  const none = await contacts.create([{ LastName: 'A' }, { FirstName: 'B' }], { allOrNone: true });
  assert.deepEqual(none.map((r) => r.errors[0].statusCode), ['ALL_OR_NONE_OPERATION_ROLLED_BACK', 'REQUIRED_FIELD_MISSING']);
  const twice = await contacts.upsert([{ Telli_Contact_Id__c: 'x', LastName: 'A' }, { Telli_Contact_Id__c: 'X', LastName: 'B' }], 'Telli_Contact_Id__c');
  assert.ok(twice.every((r) => !r.success && r.errors[0].statusCode === 'DUPLICATE_EXTERNAL_ID'));
  assert.equal((await records('salesforce', 'Contact')).length, 1);
});

await flow('records are found by conditions that the client writes as SOQL', async () => {
  await contacts.create(['A', 'B', "O'Neil"].map((LastName, i) => ({ LastName, Email: `${i}@example.com`, DoNotCall: i === 1 })));
  const quoted = await contacts.find({ LastName: "O'Neil" }, ['Id', 'LastName', 'Owner.Email']);
  assert.deepEqual([quoted.length, quoted[0].Owner.Email], [1, 'owner.one@example.com']);
  const some = await contacts.find({ Email: { $in: ['0@example.com', '1@example.com'] }, DoNotCall: false }, 'Id, Email').sort({ LastName: -1 }).limit(5);
  assert.deepEqual(some.map((r) => r.Email), ['0@example.com']);
  const like = await contacts.find({ $or: [{ LastName: { $like: 'O%' } }, { LastName: 'A' }], CreatedDate: { $gte: jsforce.SfDate.YESTERDAY } }, ['LastName']).sort('LastName');
  assert.deepEqual(like.map((r) => r.LastName), ['A', "O'Neil"]);
  assert.equal((await contacts.findOne({ LastName: 'B' }, ['Id'])).attributes.type, 'Contact');
  assert.equal(await contacts.count({ LastName: { $ne: null } }), 3);
  const plain = await conn.query("SELECT Id, Name FROM Contact WHERE Email = 'nobody@example.com'");
  assert.deepEqual([plain.totalSize, plain.done, plain.records], [0, true, []]);
});

await flow('a long result is fetched page by page', async () => {
  const all = Array.from({ length: 2100 }, (_, i) => ({ LastName: `L${i}` }));
  await contacts.create(all, { allowRecursive: true });
  const first = await conn.query('SELECT Id FROM Contact');
  assert.deepEqual([first.totalSize, first.done, first.records.length], [2100, false, 2000]);
  const rest = await conn.queryMore(first.nextRecordsUrl);
  assert.deepEqual([rest.done, rest.records.length], [true, 100]);
  const fetched = await conn.query('SELECT Id FROM Contact').execute({ autoFetch: true, maxFetch: 3000 });
  assert.equal(fetched.records?.length ?? fetched.length, 2100);
});

await flow('a call is logged as a task on a contact', async () => {
  const who = await contacts.create({ LastName: 'Muster' });
  const task = { Subject: 'Call', TaskSubtype: 'Call', CallType: 'Outbound', CallDurationInSeconds: 63, CallDisposition: 'Connected', CallObject: 'k-1', Status: 'Completed', ActivityDate: '2026-11-21', WhoId: who.id };
  const made = await conn.sobject('Task').upsert({ ...task, Call_Id__c: 'k-1' }, 'Call_Id__c');
  const [read] = await conn.sobject('Task').find({ CallObject: 'k-1' }, ['Id', 'Who.Name', 'CallDurationInSeconds']);
  assert.deepEqual([read.Id, read.Who.Name, read.CallDurationInSeconds], [made.id, 'Muster', 63]);
  await wrong(conn.sobject('Task').update({ Id: made.id, TaskSubtype: 'Email' }), 'INVALID_FIELD_FOR_INSERT_UPDATE');
});

await flow('several calls go in one composite request', async () => {
  const base = `/services/data/v${version}`;
  const answer = await conn.requestPost('/composite', {
    allOrNone: true,
    compositeRequest: [
      { method: 'POST', url: `${base}/sobjects/Contact`, referenceId: 'who', body: { LastName: 'Muster' } },
      { method: 'POST', url: `${base}/sobjects/Task`, referenceId: 'call', body: { Subject: 'Call', WhoId: '@{who.id}' } },
    ],
  });
  assert.deepEqual(answer.compositeResponse.map((r) => r.httpStatusCode), [201, 201]);
  assert.equal((await records('salesforce', 'Task'))[0].links[0].object, 'Contact');
});

await flow('objects are described, and versions and limits listed', async () => {
  const d = await contacts.describe();
  const field = (name) => d.fields.find((f) => f.name === name);
  assert.deepEqual([field('Telli_Contact_Id__c').externalId, field('Telli_Contact_Id__c').unique, field('Email').idLookup], [true, true, true]);
  assert.deepEqual(field('Telli_Status__c').picklistValues.map((v) => v.value), ['new', 'pending', 'reached', 'not_reached', 'closed']);
  assert.ok((await conn.describeGlobal()).sobjects.some((o) => o.name === 'Lead' && o.keyPrefix === '00Q'));
  const versions = await conn.request(`${free}/salesforce/services/data`);
  assert.equal(versions.at(-1).version, version);
  assert.ok((await conn.limits()).DailyApiRequests.Max > 0);
  assert.ok(conn.limitInfo.apiUsage.used > 0);
});

await flow('errors carry their code and their fields', async () => {
  const missing = await wrong(contacts.create({ FirstName: 'x' }), 'REQUIRED_FIELD_MISSING');
  assert.deepEqual(missing.data.fields, ['LastName']);
  await wrong(contacts.create({ LastName: 'x', Nosuch__c: 1 }), 'INVALID_FIELD');
  await wrong(contacts.create({ LastName: 'x', DoNotCall: 'perhaps' }), 'JSON_PARSER_ERROR');
  await wrong(contacts.create({ LastName: 'x'.repeat(81) }), 'STRING_TOO_LONG');
  await wrong(contacts.retrieve('003000000000000AAA'), 'NOT_FOUND');
  await wrong(conn.sobject('Nosuch').create({ Name: 'x' }), 'NOT_FOUND');
  await wrong(conn.query('SELECT Nosuch FROM Contact'), 'INVALID_FIELD');
  await wrong(conn.query('SELECT Id FROM Nosuch'), 'INVALID_TYPE');
  await wrong(conn.query('SELECT FROM'), 'MALFORMED_QUERY');
});

await flow('a duplicate is refused with the record that it resembles', async () => {
  const made = await contacts.create({ LastName: 'Muster', Email: 'e@example.com' });
  const e = await wrong(contacts.create({ LastName: 'Muster', Email: 'e@example.com' }), 'DUPLICATES_DETECTED');
  assert.equal(e.data.duplicateResult.matchResults[0].matchRecords[0].record.Id, made.id);
  const allowed = await contacts.create({ LastName: 'Muster', Email: 'e@example.com' }, { headers: { 'Sforce-Duplicate-Rule-Header': 'allowSave=true' } });
  assert.equal(allowed.success, true);
});

await flow('a locked row is an error of its record', async () => {
  const made = await contacts.create({ LastName: 'Muster' });
  await break_({ crm: 'salesforce', method: 'PATCH', status: 400, times: 1, body: 'UNABLE_TO_LOCK_ROW' });
  await wrong(contacts.update({ Id: made.id, Title: 'x' }), 'UNABLE_TO_LOCK_ROW');
  await break_({ crm: 'salesforce', partial: true, status: 500, times: 1 });
  const rows = await contacts.create([{ LastName: 'A' }, { LastName: 'B' }]);
  assert.deepEqual([rows[0].success, rows[1].errors[0].statusCode], [true, 'UNABLE_TO_LOCK_ROW']);
});

await flow('a server that is down is asked again, but only for reads', async () => {
  await break_({ crm: 'salesforce', status: 503, times: 1 });
  assert.equal((await conn.query('SELECT Id FROM Contact')).totalSize, 0);
  await break_({ crm: 'salesforce', status: 503, times: 1 });
  await wrong(contacts.create({ LastName: 'x' }), 'SERVER_UNAVAILABLE');
});

await flow('the calls of a day are told in a header and then refused', async () => {
  const hurried = at(limited); // ten calls a day
  const all = await many(12, () => hurried.query('SELECT Id FROM Contact'));
  const late = all.filter((r) => r.status === 'rejected').map((r) => r.reason);
  assert.equal(late.length, 2);
  for (const e of late) assert.deepEqual([e.errorCode, e.message], ['REQUEST_LIMIT_EXCEEDED', 'TotalRequests Limit exceeded.']);
  assert.equal(hurried.limitInfo.apiUsage.limit, 10);
  assert.ok((await requests('salesforce', limited)).some((r) => r.endsWith(' 403')));
});

const oauth2 = () => new jsforce.OAuth2({ loginUrl: `${free}/salesforce`, clientId: '3MVGsandbox', clientSecret: 's3cret' });

await flow('a session is given for client credentials, and renewed when it ends', async () => {
  const c = new jsforce.Connection({
    version, oauth2: oauth2(),
    refreshFn: (self, done) => self.authorize({ grant_type: 'client_credentials' }).then(() => done(null, self.accessToken), done),
  });
  const user = await c.authorize({ grant_type: 'client_credentials' });
  assert.match(user.id, /^005/);
  assert.match(user.organizationId, /^00D/);
  assert.equal(c.instanceUrl, `${free}/salesforce`);
  const before = c.accessToken;
  await break_({ crm: 'salesforce', path: '/query', status: 401, times: 1 });
  assert.equal((await c.query('SELECT Id FROM Contact')).totalSize, 0);
  assert.notEqual(c.accessToken, before);
  await wrong(at(free, { accessToken: before }).query('SELECT Id FROM Contact'), 'INVALID_SESSION_ID');
});

await flow('a session is given for a signed assertion, and refused without', async () => {
  const part = (v) => Buffer.from(JSON.stringify(v)).toString('base64url');
  const assertion = (claims, alg = 'RS256') => {
    const head = `${part({ alg })}.${part({ iss: '3MVGsandbox', sub: 'owner.one@example.com', aud: 'https://login.salesforce.com', exp: Math.floor(Date.now() / 1000) + 180, ...claims })}`;
    return `${head}.${createHmac('sha256', 'nobody checks').update(head).digest('base64url')}`;
  };
  const grant = (assertion) => new jsforce.OAuth2({ loginUrl: `${free}/salesforce` }).requestToken({ grant_type: 'urn:ietf:params:oauth:grant-type:jwt-bearer', assertion });
  const token = await grant(assertion({}));
  assert.equal(token.token_type, 'Bearer');
  assert.equal(token.expires_in, undefined);
  const e = await refused(grant(assertion({ aud: 'https://example.com' })));
  assert.deepEqual([e.name, e.message], ['invalid_grant', 'audience is invalid']);
  const nobody = await refused(new jsforce.OAuth2({ loginUrl: `${free}/salesforce` }).requestToken({ grant_type: 'client_credentials' }));
  assert.equal(nobody.name, 'invalid_client_id');
});
