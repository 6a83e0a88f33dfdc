// Reads AsyncAPI documents with the official parser and prints, as JSON, its diagnostics and what it understood.
"use strict";
const fs = require("node:fs");
const { createRequire } = require("node:module");

const [, , modules, ...files] = process.argv;
const load = createRequire(modules + "/");
const { Parser } = load("@asyncapi/parser");
const { AvroSchemaParser } = load("@asyncapi/avro-schema-parser");

async function read(parser, file) {
  const { document, diagnostics } = await parser.parse(fs.readFileSync(file, "utf8"));
  const found = diagnostics.map(({ code, message, path, severity }) => ({ code, message, path: path.join("/"), severity }));
  const operations = document
    ? document.operations().all().map((operation) => ({
        id: operation.id(),
        action: operation.action(),
        channel: operation.channels().all()[0].address(),
        messages: operation.messages().all().map((message) => message.name()),
        fields: operation.messages().all().flatMap((message) =>
          Object.keys((message.hasPayload() && message.payload().properties()) || {})),
        headers: operation.messages().all().flatMap((message) =>
          Object.keys((message.hasHeaders() && message.headers().properties()) || {})),
      }))
    : [];
  return { valid: document !== undefined, diagnostics: found, operations };
}

async function main() {
  const parser = new Parser();
  parser.registerSchemaParser(AvroSchemaParser());
  const answers = [];
  for (const file of files) answers.push(await read(parser, file));
  process.stdout.write(JSON.stringify(answers) + "\n");
}

main().catch((error) => {
  process.stderr.write(`${error.stack}\n`);
  process.exit(1);
});
