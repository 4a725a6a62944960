#!/usr/bin/env node
// Writes what Python deploys and decodes: one JSON file a contract (ABI, bytecode) and errors.json (selector → error), to
// relayer/vms/evm/artifacts/. Deterministic: pinned compiler, settings of foundry.toml, no metadata in the code.
// With --check it writes nothing and fails if a committed file differs from what the sources give.
'use strict';
const fs = require('fs');
const path = require('path');
const solc = require('solc');

const root = path.join(__dirname, '..');
const destination = path.join(root, '..', '..', 'relayer', 'vms', 'evm', 'artifacts');

const CONTRACTS = {
  XvmGateway: 'src/XvmGateway.sol',
  XvmExecutor: 'src/XvmExecutor.sol',
  XvmAccounts: 'src/XvmAccounts.sol',
  XvmAccount: 'src/XvmAccount.sol',
  XvmRoutes: 'src/XvmRoutes.sol',
  XvmRegistry: 'src/XvmRegistry.sol',
  EcdsaVerifier: 'src/verifiers/EcdsaVerifier.sol',
  BlsVerifier: 'src/verifiers/BlsVerifier.sol',
  XvmCounter: 'src/examples/XvmCounter.sol',
  XvmEcho: 'src/examples/XvmEcho.sol',
  XvmPing: 'src/examples/XvmPing.sol',
  XvmToken: 'src/examples/XvmToken.sol',
  CollateralLoan: 'src/examples/CollateralLoan.sol',
  LockedCollateralLoan: 'src/examples/LockedCollateralLoan.sol',
  XvmErc7786Source: 'src/adapters/XvmErc7786Source.sol',
  XvmErc7786Inbound: 'src/adapters/XvmErc7786Inbound.sol',
};
const EIP170_BYTES = 24576;

const foundry = fs.readFileSync(path.join(root, 'foundry.toml'), 'utf8');
const setting = (name) => {
  const found = foundry.match(new RegExp(`^${name} = "?([^"\n]+)"?$`, 'm'));
  if (!found) throw new Error(`foundry.toml has no ${name}`);
  return found[1];
};
const [prefix, mapped] = foundry.match(/remappings = \["([^="]+)=([^"]+)"\]/).slice(1);

const settings = {
  remappings: [`${prefix}=${mapped}`],
  optimizer: { enabled: setting('optimizer') === 'true', runs: Number(setting('optimizer_runs')) },
  viaIR: setting('via_ir') === 'true',
  evmVersion: setting('evm_version'),
  metadata: { bytecodeHash: setting('bytecode_hash'), appendCBOR: setting('cbor_metadata') === 'true' },
};

// Sources by the names that forge gives them: relative to the project's root.
const collect = (names) => {
  const sources = {};
  const visit = (name) => {
    if (sources[name]) return;
    const content = fs.readFileSync(path.join(root, name), 'utf8');
    sources[name] = { content };
    for (const [, imported] of content.matchAll(/^\s*(?:import|\}\s*from)[^;"']*["']([^"']+)["'];/gms)) {
      if (imported.startsWith('.')) visit(path.posix.normalize(path.posix.join(path.posix.dirname(name), imported)));
      else if (imported.startsWith(prefix)) visit(mapped + imported.slice(prefix.length));
      else throw new Error(`${name} imports ${imported}, which no remapping knows`);
    }
  };
  names.forEach(visit);
  return Object.fromEntries(Object.entries(sources).sort(([a], [b]) => (a < b ? -1 : 1)));
};

const compile = (sources, outputSelection) => {
  const output = JSON.parse(
    solc.compile(
      JSON.stringify({
        language: 'Solidity',
        sources,
        settings: { ...settings, outputSelection },
      }),
    ),
  );
  const errors = (output.errors ?? []).filter((error) => error.severity === 'error');
  if (errors.length) throw new Error(errors.map((error) => error.formattedMessage).join('\n'));
  return output.contracts;
};

const typeOf = (input) =>
  input.type.startsWith('tuple') ? `(${input.components.map(typeOf).join(',')})${input.type.slice(5)}` : input.type;

// Selectors without a hash function of our own: a contract's method identifiers, of a contract that has each error as a method.
const selectorsOf = (signatures) => {
  const methods = [...signatures].map((signature, i) => {
    const [, name, types] = signature.match(/^(\w+)\((.*)\)$/);
    const parameters = types ? types.split(',').map((type) => (type === 'string' || type === 'bytes' ? `${type} calldata` : type)) : [];
    return `interface I${i} { function ${name}(${parameters.join(',')}) external; }`;
  });
  const source = `// SPDX-License-Identifier: Apache-2.0\npragma solidity *;\n${methods.join('\n')}`;
  const output = JSON.parse(
    solc.compile(
      JSON.stringify({
        language: 'Solidity',
        sources: { selectors: { content: source } },
        settings: { outputSelection: { '*': { '*': ['evm.methodIdentifiers'] } } },
      }),
    ),
  );
  const selectors = {};
  for (const contract of Object.values(output.contracts.selectors)) {
    for (const [signature, selector] of Object.entries(contract.evm.methodIdentifiers)) selectors[signature] = `0x${selector}`;
  }
  return selectors;
};

// With what it imports and nothing else: the compiler numbers all that it is given, and code and immutables follow the numbers.
const compileAlone = (name, source) => {
  const wanted = ['abi', 'evm.bytecode.object', 'evm.deployedBytecode.object', 'evm.deployedBytecode.immutableReferences'];
  return compile(collect([source]), { [source]: { [name]: wanted } })[source][name];
};

const build = () => {
  const files = {};
  for (const [name, source] of Object.entries(CONTRACTS)) {
    const { abi, evm } = compileAlone(name, source);
    const size = evm.deployedBytecode.object.length / 2;
    if (size > EIP170_BYTES) throw new Error(`${name} has ${size} bytes of code; EIP-170 allows ${EIP170_BYTES}`);
    files[`${name}.json`] = {
      contractName: name,
      sourceName: source,
      compiler: { name: 'solc', version: solc.version().replace('.Emscripten.clang', ''), settings },
      abi,
      bytecode: `0x${evm.bytecode.object}`,
      deployedBytecode: `0x${evm.deployedBytecode.object}`,
      immutableReferences: evm.deployedBytecode.immutableReferences,
    };
  }
  const errors = new Map();
  const all = compile(collect(Object.values(CONTRACTS)), { '*': { '*': ['abi'] } });
  for (const contracts of Object.values(all)) {
    for (const { abi } of Object.values(contracts)) {
      for (const item of abi.filter(({ type }) => type === 'error')) {
        errors.set(`${item.name}(${item.inputs.map(typeOf).join(',')})`, item);
      }
    }
  }
  const selectors = selectorsOf(errors.keys());
  const entries = [...errors].map(([signature, { name, inputs }]) => [selectors[signature], { name, signature, inputs }]);
  files['errors.json'] = Object.fromEntries(entries.sort(([a], [b]) => (a < b ? -1 : 1)));
  return Object.fromEntries(Object.entries(files).map(([name, value]) => [name, `${JSON.stringify(value, null, 2)}\n`]));
};

const check = (files) => {
  const faults = [];
  for (const [name, text] of Object.entries(files)) {
    const file = path.join(destination, name);
    if (!fs.existsSync(file)) faults.push(`${name} is missing`);
    else if (fs.readFileSync(file, 'utf8') !== text) faults.push(`${name} differs from the sources`);
  }
  const present = fs.existsSync(destination) ? fs.readdirSync(destination) : [];
  for (const name of present.filter((file) => file.endsWith('.json') && !files[file])) faults.push(`${name} has no source`);
  return faults;
};

const files = build();
if (process.argv.includes('--check')) {
  const faults = check(files);
  if (faults.length) {
    process.stderr.write(`artifacts are stale:\n  ${faults.join('\n  ')}\nrun: node contracts/evm/script/build_artifacts.cjs\n`);
    process.exitCode = 1;
  }
} else {
  fs.mkdirSync(destination, { recursive: true });
  for (const [name, text] of Object.entries(files)) fs.writeFileSync(path.join(destination, name), text);
}
