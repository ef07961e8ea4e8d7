// Reads an AsyncAPI document with the official parser. Prints what it objects to as JSON.
const { readFileSync } = require("node:fs");
const { Parser } = require("@asyncapi/parser");

new Parser().parse(readFileSync(process.argv[2], "utf8")).then(({ document, diagnostics }) => {
  const objections = diagnostics.map(({ severity, path, message }) => ({ severity, path, message }));
  console.log(JSON.stringify({ valid: document !== undefined, objections }));
});
