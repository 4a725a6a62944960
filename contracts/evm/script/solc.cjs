#!/usr/bin/env node
// The compiler as a command: what forge asks of a native `solc`, answered by the pinned npm package.
// It knows --version and --standard-json on standard input and nothing else; it reads no other file and never downloads.
'use strict';
const fs = require('fs');
const path = require('path');
const solc = require('solc');

// forge names files outside its root by absolute path when only another such file imports them, but solc resolves that
// import to the relative name. Both get the relative name here, and forge its own back.
const rename = (record, naming) =>
  record && Object.fromEntries(Object.entries(record).map(([name, value]) => [naming(name), value]));

const compile = (text, base) => {
  const input = JSON.parse(text);
  const given = new Map();
  const relative = (name) => {
    if (!path.isAbsolute(name)) return name;
    const short = path.relative(base, name);
    given.set(short, name);
    return short;
  };
  input.sources = rename(input.sources, relative);
  input.settings.outputSelection = rename(input.settings.outputSelection, relative);
  const output = JSON.parse(solc.compile(JSON.stringify(input)));
  const restored = (name) => given.get(name) ?? name;
  for (const part of ['contracts', 'sources']) {
    if (output[part]) output[part] = rename(output[part], restored);
  }
  for (const error of output.errors ?? []) {
    if (error.sourceLocation) error.sourceLocation.file = restored(error.sourceLocation.file);
  }
  return JSON.stringify(output);
};

const words = process.argv.slice(2);
if (words.includes('--version')) {
  process.stdout.write(`solc, the solidity compiler commandline interface\nVersion: ${solc.version()}\n`);
} else if (words.includes('--standard-json')) {
  const base = words.includes('--base-path') ? words[words.indexOf('--base-path') + 1] : process.cwd();
  process.stdout.write(compile(fs.readFileSync(0, 'utf8'), base));
} else {
  process.stderr.write(`solc.cjs: only --version and --standard-json are supported, not: ${words.join(' ')}\n`);
  process.exitCode = 2;
}
