// Opens the files that crmsyncd init wrote in the YAML language server, which is
// what editors run, and asks it as an editor would. One line a check.
//
//	node editor.mjs FOLDER
import { spawn } from "node:child_process";
import { readFileSync } from "node:fs";
import { createRequire } from "node:module";
import { dirname, join } from "node:path";
import { pathToFileURL } from "node:url";

const folder = process.argv[2];
const patience = 20_000; // milliseconds for one answer
const require = createRequire(import.meta.url);
const manifest = require.resolve("yaml-language-server/package.json");
const program = join(dirname(manifest), "bin", "yaml-language-server");
const server = spawn(process.execPath, [program, "--stdio"], { stdio: ["pipe", "pipe", "inherit"] });

let next = 1;
const waiting = new Map(); // requests without an answer, by id
const problems = new Map(); // what was said of a file last, by address
let told = () => {};

function send(message) {
  const text = JSON.stringify({ jsonrpc: "2.0", ...message });
  server.stdin.write(`Content-Length: ${Buffer.byteLength(text)}\r\n\r\n${text}`);
}

function limit(promise, what) {
  let timer;
  const end = new Promise((_, no) => { timer = setTimeout(() => no(new Error(`no ${what} in time`)), patience); });
  return Promise.race([promise, end]).finally(() => clearTimeout(timer));
}

function ask(method, params) {
  const id = next++;
  send({ id, method, params });
  return limit(new Promise((yes, no) => waiting.set(id, { yes, no })), method);
}

function heard(message) {
  if (message.method && message.id !== undefined) {
    const settings = { validate: true, completion: true, hover: true, schemaStore: { enable: false } };
    const result = message.method === "workspace/configuration" ? message.params.items.map((i) => (i.section === "yaml" ? settings : {})) : null;
    send({ id: message.id, result });
  } else if (message.id !== undefined) {
    const { yes, no } = waiting.get(message.id);
    waiting.delete(message.id);
    message.error ? no(new Error(message.error.message)) : yes(message.result);
  } else if (message.method === "textDocument/publishDiagnostics") {
    problems.set(message.params.uri, message.params.diagnostics);
    told();
  }
}

let buffer = Buffer.alloc(0);
server.stdout.on("data", (data) => {
  buffer = Buffer.concat([buffer, data]);
  for (;;) {
    const head = buffer.indexOf("\r\n\r\n");
    if (head < 0) return;
    const size = Number(/Content-Length: (\d+)/i.exec(buffer.subarray(0, head).toString())[1]);
    if (buffer.length < head + 4 + size) return;
    const message = JSON.parse(buffer.subarray(head + 4, head + 4 + size).toString());
    buffer = buffer.subarray(head + 4 + size);
    heard(message);
  }
});

let version = 1;
let copies = 0;

// open shows a text under a new name beside the files, so that its first line
// leads to the schema there, and gives what the server says of it.
async function open(name, text) {
  const uri = pathToFileURL(join(folder, `copy${copies++}-${name}`)).href;
  send({ method: "textDocument/didOpen", params: { textDocument: { uri, languageId: "yaml", version: version++, text } } });
  await limit(new Promise((yes) => {
    told = () => problems.has(uri) && yes();
    told();
  }), "diagnostics");
  return { uri, said: problems.get(uri).map((d) => d.message) };
}

const read = (name) => readFileSync(join(folder, name), "utf8");

function replaced(text, old, now) {
  if (!text.includes(old)) throw new Error(`the file has no ${JSON.stringify(old)}`);
  return text.replace(old, now);
}

// complete gives the labels that are offered at the place of |.
async function complete(name, text) {
  const before = text.slice(0, text.indexOf("|!"));
  const { uri } = await open(name, text.replace("|!", ""));
  const position = { line: before.split("\n").length - 1, character: before.length - before.lastIndexOf("\n") - 1 };
  const list = await ask("textDocument/completion", { textDocument: { uri }, position });
  return { uri, position, labels: (list.items ?? list).map((i) => i.label) };
}

async function check(name, run) {
  try {
    await run();
    console.log(`ok ${name}`);
  } catch (e) {
    console.log(`not ok ${name}: ${String(e.message).replaceAll("\n", " ")}`);
  }
}

function want(ok, got) {
  if (!ok) throw new Error(`got ${JSON.stringify(got)}`);
}

await ask("initialize", {
  processId: process.pid,
  rootUri: pathToFileURL(folder).href,
  capabilities: { textDocument: { completion: { completionItem: { snippetSupport: true } }, publishDiagnostics: {}, hover: {} }, workspace: { configuration: true } },
});
send({ method: "initialized", params: {} });
send({ method: "workspace/didChangeConfiguration", params: { settings: { yaml: { validate: true, completion: true, hover: true, schemaStore: { enable: false } } } } });

for (const name of ["config.yaml", "mapping.yaml", "mapping_test.yaml"]) {
  await check(`${name} is found right`, async () => {
    const { said } = await open(name, read(name));
    want(said.length === 0, said);
  });
}

for (const [name, old, now, word] of [
  ["config.yaml", "data_dir:", "data_dri:", "data_dri"],
  ["config.yaml", "signing_secret:", "signing_secrt:", "signing_secrt"],
  ["mapping.yaml", "records:", "recods:", "recods"],
  ["mapping.yaml", "on: call.ended", "on: call.endet", ""],
  ["mapping.yaml", "on_many: oldest", "on_many: eldest", "oldest"],
  ["mapping_test.yaml", "expect:", "expects:", "expects"],
]) {
  await check(`${name} with ${now} is found wrong`, async () => {
    const { said } = await open(name, replaced(read(name), old, now));
    want(said.length > 0 && said.join(" ").includes(word), said);
  });
}

for (const [name, old, now, label] of [
  ["config.yaml", "\ndefaults:", "\n|!\n\ndefaults:", "public_url"],
  ["config.yaml", "type: hubspot", "type: |!", "salesforce"],
  ["mapping.yaml", "on: call.ended", "on: |!", "contact.status_changed"],
  ["mapping.yaml", "        on_many: oldest", "        |!", "on_many"],
  ["mapping.yaml", "on_many: oldest", "on_many: |!", "newest"],
  ["mapping_test.yaml", "    expect:", "    |!\n    expect:", "earlier"],
]) {
  await check(`${name} offers ${label}`, async () => {
    const { labels } = await complete(name, replaced(read(name), old, now));
    want(labels.includes(label), labels);
  });
}

await check("mapping.yaml tells what a key is for", async () => {
  const text = read("mapping.yaml");
  const at = text.indexOf("on_many:");
  const { uri } = await open("mapping.yaml", text);
  const before = text.slice(0, at + 2);
  const hover = await ask("textDocument/hover", { textDocument: { uri }, position: { line: before.split("\n").length - 1, character: before.length - before.lastIndexOf("\n") - 1 } });
  want(JSON.stringify(hover).includes("Which one is meant"), hover);
});

server.kill();
process.exit(0);
