#!/usr/bin/env node
// Lays beside the sources what the npm package has besides them, just before `npm pack`: the repository's licence, and ABIs
// as bare JSON arrays, taken from the committed artifacts. With --remove it takes them away again. It compiles nothing.
'use strict';
const fs = require('fs');
const path = require('path');

const root = path.join(__dirname, '..');
const repository = path.join(root, '..', '..');
const artifacts = path.join(repository, 'relayer', 'vms', 'evm', 'artifacts');
const licence = path.join(root, 'LICENSE');
const abis = path.join(root, 'abi');

const write = (name, value) => fs.writeFileSync(path.join(abis, name), `${JSON.stringify(value, null, 2)}\n`);

fs.rmSync(licence, { force: true });
fs.rmSync(abis, { force: true, recursive: true });
if (!process.argv.includes('--remove')) {
  fs.copyFileSync(path.join(repository, 'LICENSE'), licence);
  fs.mkdirSync(abis);
  for (const name of fs.readdirSync(artifacts).filter((file) => file.endsWith('.json'))) {
    const artifact = JSON.parse(fs.readFileSync(path.join(artifacts, name), 'utf8'));
    // errors.json, selector → error, is no contract's and goes along as it is
    write(name, artifact.abi ?? artifact);
  }
}
