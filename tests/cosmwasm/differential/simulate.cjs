// Runs contracts on npm's cw-simulate: one command a line on standard input, as JSON, one answer a line on standard output.
//
// Where cw-simulate cannot run what any chain runs, it is mended here as wasmd documents it, one place each, and only there:
// otherwise nothing of the gateway could be compared at all.
'use strict';
const crypto = require('node:crypto');
const fs = require('node:fs');
const path = require('node:path');
const readline = require('node:readline');

const home = path.dirname(require.resolve('@oraichain/cw-simulate'));
const { CWSimulateApp } = require('@oraichain/cw-simulate');
const util = require(path.join(home, 'modules', 'wasm', 'wasm-util.js'));

// Blocks have the time that the test gives them, not at least the machine's.
Date.now = () => 0;

const app = new CWSimulateApp({ chainId: process.argv[2], bech32Prefix: 'wasm', debug: () => {} });
const wasm = app.wasm;
const bytesOf = (text) => Buffer.from(text, 'base64');
const jsonOf = (text) => JSON.parse(bytesOf(text).toString());

// A salt is bytes: cw-simulate reads it as JSON.
const handleMsg = wasm.handleMsg.bind(wasm);
wasm.handleMsg = async (sender, message, traces) => {
  if (!('instantiate2' in message)) return handleMsg(sender, message, traces);
  const { code_id, funds, msg, label, admin, salt } = message.instantiate2;
  return wasm.instantiateContract(sender, funds, code_id, jsonOf(msg), label, admin, bytesOf(salt), traces, true);
};

// Where there is no contract, the querier says so (`SystemError::NoSuchContract`): cw-simulate throws through the contract that asks.
const queryRaw = app.querier.query_raw.bind(app.querier);
app.querier.query_raw = (request, gasLimit) => {
  const { wasm: asked } = JSON.parse(Buffer.from(request).toString());
  const address = (asked?.contract_info ?? asked?.smart ?? asked?.raw)?.contract_addr;
  if (address === undefined || wasm.getContractInfo(address) !== undefined) return queryRaw(request, gasLimit);
  return Buffer.from(JSON.stringify({ error: { no_such_contract: { addr: address } } }));
};

// A reply tells a MsgExecuteContractResponse (field 1: data) of an execution: cw-simulate tells of any message as of an instantiation.
const wrapReplyResponse = util.wrapReplyResponse;
util.wrapReplyResponse = (response) => {
  if (response.events[0]?.type === 'instantiate') return wrapReplyResponse(response);
  const data = response.data === null ? Buffer.alloc(0) : bytesOf(response.data);
  const length = [];
  for (let rest = data.length; ; rest >>= 7) {
    length.push(rest > 127 ? (rest & 127) | 128 : rest);
    if (rest < 128) break;
  }
  const encoded = data.length ? Buffer.concat([Buffer.from([10, ...length]), data]) : data;
  return { events: response.events, data: encoded.toString('base64') };
};

// What a failed message wrote is undone: cw-simulate undoes its store, but each contract goes on from a copy that is not.
const Contract = require(path.join(home, 'modules', 'wasm', 'contract.js')).default;
for (const entry of ['instantiate', 'execute', 'migrate', 'reply']) {
  const run = Contract.prototype[entry];
  Contract.prototype[entry] = function (...given) {
    this.vm.backend.storage.dict = this.getStorage();
    return run.apply(this, given);
  };
}

const result = (outcome) => (outcome.ok ? { ok: outcome.val } : { error: String(outcome.val) });

const commands = {
  store({ sender, file }) {
    const code = fs.readFileSync(file);
    const id = wasm.create(sender, code);
    // It learns of a code's checksum only when a contract of it runs first.
    wasm.constructor.checksumCache[id] = crypto.createHash('sha256').update(code).digest('hex');
    return { ok: id };
  },
  async instantiate({ sender, code_id, message, label, admin, salt, funds }) {
    return result(await wasm.instantiateContract(sender, funds, code_id, message, label, admin || null, bytesOf(salt)));
  },
  async execute({ sender, contract, message, funds }) {
    return result(await wasm.executeContract(sender, funds, contract, message));
  },
  query: ({ contract, message }) => result(wasm.query(contract, message)),
  mint: ({ address, coins }) => result(app.bank.mint(address, coins)),
  balance: ({ address }) => ({ ok: app.bank.getBalance(address) }),
};

async function main() {
  for await (const line of readline.createInterface({ input: process.stdin })) {
    const { command, height, seconds, ...given } = JSON.parse(line);
    // A transaction opens a block of its own there.
    app.height = command === 'query' ? height : height - 1;
    app.time = seconds * 1e9;
    let answer;
    try {
      answer = await commands[command](given);
    } catch (error) {
      answer = { error: String(error?.message ?? error) };
    }
    process.stdout.write(`${JSON.stringify(answer)}\n`);
  }
}

main();
