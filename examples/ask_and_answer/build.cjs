#!/usr/bin/env node
// Compiles Contracts.sol into contracts.json (ABI and bytecode) with the pinned compiler; --check only compares.
'use strict';
const fs = require('fs');
const path = require('path');
const solc = require('solc');

const source = fs.readFileSync(path.join(__dirname, 'Contracts.sol'), 'utf8');
const output = JSON.parse(
  solc.compile(
    JSON.stringify({
      language: 'Solidity',
      sources: { 'Contracts.sol': { content: source } },
      settings: {
        evmVersion: 'prague',
        optimizer: { enabled: true, runs: 200 },
        metadata: { bytecodeHash: 'none', appendCBOR: false },
        outputSelection: { '*': { '*': ['abi', 'evm.bytecode.object'] } },
      },
    })
  )
);
const faults = (output.errors ?? []).filter((fault) => fault.severity === 'error');
if (faults.length > 0) {
  process.stderr.write(faults.map((fault) => fault.formattedMessage).join('\n'));
  process.exit(1);
}
const built = Object.fromEntries(
  ['Adder', 'Asker'].map((name) => {
    const contract = output.contracts['Contracts.sol'][name];
    return [name, { abi: contract.abi, bytecode: `0x${contract.evm.bytecode.object}` }];
  })
);
const text = `${JSON.stringify(built, null, 1)}\n`;
const place = path.join(__dirname, 'contracts.json');
if (process.argv.includes('--check')) {
  if (!fs.existsSync(place) || fs.readFileSync(place, 'utf8') !== text) {
    process.stderr.write('contracts.json is not what Contracts.sol compiles to; run examples/ask_and_answer/build.cjs\n');
    process.exit(1);
  }
} else {
  fs.writeFileSync(place, text);
}
