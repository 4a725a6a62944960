// SPDX-License-Identifier: Apache-2.0
pragma solidity ^0.8.27;

import {ERC165} from "@openzeppelin/contracts/utils/introspection/ERC165.sol";
import {IERC165} from "@openzeppelin/contracts/utils/introspection/IERC165.sol";
import {InteroperableAddress} from "@openzeppelin/contracts/utils/draft-InteroperableAddress.sol";
import {IXvmCallback} from "../interfaces/IXvmCallback.sol";
import {IXvmGateway} from "../interfaces/IXvmGateway.sol";
import {Mode, Options, Request} from "../interfaces/XvmTypes.sol";
import {RequestHash} from "../libraries/RequestHash.sol";
import {IXVMClient} from "./IXVMClient.sol";
import {XvmResult} from "./XvmResult.sol";

/// @title Base of contracts that ask
/// @notice Ask with `_call`, `_query` or `_ask`; say in `_onResult` what an answer means; if a silence costs your users anything,
/// put it right in `_onGivenUp`. Each request ends in exactly one of the two, once. All that is owed to this contract by the
/// gateway (what was overpaid, refunds) arrives in its own balance.
/// @dev The gateway is an immutable, so there is nothing to initialise: behind a proxy, an implementation that was constructed
/// with the gateway works, and the proxy is who asks. Storage is plain: an upgrade keeps the order of bases and variables.
/// It never uses the gateway's `retry`, so no answer is a duplicate's.
abstract contract XVMClient is IXVMClient, ERC165 {
    /// @dev An open request.
    struct Open {
        /// 0: not open.
        uint64 giveUpAfterBlock;
        bytes32 context;
    }

    IXvmGateway internal immutable GATEWAY;

    /// @inheritdoc IXVMClient
    uint64 public immutable timeoutBlocks;

    mapping(uint256 requestId => Open) private _open;

    /// @param gateway_ The gateway to ask and believe.
    /// @param timeoutBlocks_ For how many blocks an answer is waited for. A route's own deadline is 100 blocks or more: less
    /// gives up what could still be answered, and the fee comes back only after the deadline.
    constructor(IXvmGateway gateway_, uint64 timeoutBlocks_) {
        if (address(gateway_) == address(0)) revert ZeroGateway();
        GATEWAY = gateway_;
        timeoutBlocks = timeoutBlocks_;
    }

    /// @notice Takes back what was overpaid, and refunds.
    /// @dev Override it if your contract takes money from others as well.
    receive() external payable virtual {
        if (msg.sender != address(GATEWAY)) revert NotGateway(msg.sender);
    }

    /// @inheritdoc IXvmCallback
    function xvmCallback(uint256 requestId, bool success, bytes calldata returnData) external {
        // SECURITY: without this anyone could tell us anything
        if (msg.sender != address(GATEWAY)) revert NotGateway(msg.sender);
        Open memory open = _open[requestId];
        // SECURITY: what was given up has been put right already; an answer must not count on top of that
        if (open.giveUpAfterBlock == 0) {
            // no revert: that would be recorded as a failed handler, for anyone to replay in vain
            emit XVMAnswerIgnored(requestId);
            return;
        }
        delete _open[requestId];
        _onResult(requestId, XvmResult({success: success, data: returnData, context: open.context}));
    }

    /// @inheritdoc IXVMClient
    function giveUp(uint256 requestId) external {
        Open memory open = _open[requestId];
        if (open.giveUpAfterBlock == 0) revert NotOpen(requestId);
        _giveUp(requestId, open);
    }

    /// @inheritdoc IXVMClient
    function cancelRequest(Request calldata request) external {
        uint256 requestId = RequestHash.idOfCalldata(request, false);
        Open memory open = _open[requestId];
        if (open.giveUpAfterBlock != 0) _giveUp(requestId, open);
        GATEWAY.cancel(request);
    }

    /// @inheritdoc IXVMClient
    function collectCredit() external returns (uint256 amount) {
        return GATEWAY.withdraw(address(this));
    }

    /// @inheritdoc IXVMClient
    function gateway() external view returns (address) {
        return address(GATEWAY);
    }

    /// @inheritdoc IXVMClient
    function openRequest(uint256 requestId)
        external
        view
        returns (bool open, uint256 giveUpAfterBlock, bytes32 context)
    {
        Open memory found = _open[requestId];
        return (found.giveUpAfterBlock != 0, found.giveUpAfterBlock, found.context);
    }

    /// @inheritdoc IERC165
    function supportsInterface(bytes4 interfaceId) public view virtual override returns (bool) {
        return interfaceId == type(IXvmCallback).interfaceId || interfaceId == type(IXVMClient).interfaceId
            || super.supportsInterface(interfaceId);
    }

    /// @notice What an answer means. Called once for a request, unless it was given up before.
    /// @dev It has the request's callback gas (300,000 unless asked for otherwise) less a few thousand. If it reverts, nothing
    /// has happened: anyone may replay the answer with more gas, until the request is given up.
    function _onResult(uint256 requestId, XvmResult memory result) internal virtual;

    /// @notice What giving up means: give back what was taken for the answer. Called once for a request, unless it was answered
    /// before. `context` is what was written down when asking.
    /// @dev SECURITY: if it reverts, the request stays open: do not let a third party make it.
    function _onGivenUp(uint256 requestId, bytes32 context) internal virtual {}

    /// @notice Who may stop waiting, once that is allowed at all: anyone. Override it to revert for others.
    function _authorizeGiveUp(uint256 requestId, address caller) internal view virtual {}

    /// @notice Asks for a `CALL` to a contract on an EVM chain, with the route's defaults.
    /// @param chainId EIP-155 chain id of the destination.
    /// @param target Contract there.
    /// @param payload Selector and abi-encoded arguments.
    /// @param budget Wei of this contract's balance that may be spent.
    /// @return requestId Its id.
    /// @return cost Wei that were spent.
    function _call(uint256 chainId, address target, bytes memory payload, uint256 budget)
        internal
        returns (uint256 requestId, uint256 cost)
    {
        Options memory options;
        return _ask(InteroperableAddress.formatEvmV1(chainId, target), payload, options, budget, 0);
    }

    /// @notice Asks for a `QUERY` of a contract on an EVM chain, with the route's defaults: what a view function there says
    /// at one agreed final block.
    /// @dev Parameters and results as of `_call`.
    function _query(uint256 chainId, address target, bytes memory payload, uint256 budget)
        internal
        returns (uint256 requestId, uint256 cost)
    {
        Options memory options;
        options.mode = Mode.QUERY;
        return _ask(InteroperableAddress.formatEvmV1(chainId, target), payload, options, budget, 0);
    }

    /// @notice Asks for anything, anywhere.
    /// @dev SECURITY: `budget` is the caller's word. Who passes `msg.value` passes it to one request only, and sends what is left
    /// of it back by `_pay`.
    /// @param target ERC-7930 address of the contract to call.
    /// @param payload The call in the target VM's own encoding.
    /// @param options The rest; 0 takes the route's default where one exists.
    /// @param budget Wei of this contract's balance that may be spent.
    /// @param context Whatever the answer is to be told with.
    /// @return requestId Its id.
    /// @return cost Wei that were spent: the quote, or less while a cheaper one is still honoured.
    function _ask(bytes memory target, bytes memory payload, Options memory options, uint256 budget, bytes32 context)
        internal
        returns (uint256 requestId, uint256 cost)
    {
        uint256 fee = GATEWAY.quote(target, payload.length, options);
        if (fee > budget) revert FeeAboveBudget(fee, budget);
        uint256 balance = address(this).balance;
        requestId = GATEWAY.xvmExecute{value: fee}(target, payload, options);
        cost = balance - address(this).balance;
        _open[requestId] = Open({giveUpAfterBlock: uint64(block.number) + timeoutBlocks, context: context});
    }

    /// @notice What `_call` would cost now.
    /// @param payloadLength Bytes of its payload: 4, and 32 for each argument of a simple type.
    function _quoteCall(uint256 chainId, address target, uint256 payloadLength) internal view returns (uint256 fee) {
        Options memory options;
        return GATEWAY.quote(InteroperableAddress.formatEvmV1(chainId, target), payloadLength, options);
    }

    /// @notice What `_query` would cost now.
    /// @dev Parameters as of `_quoteCall`.
    function _quoteQuery(uint256 chainId, address target, uint256 payloadLength) internal view returns (uint256 fee) {
        Options memory options;
        options.mode = Mode.QUERY;
        return GATEWAY.quote(InteroperableAddress.formatEvmV1(chainId, target), payloadLength, options);
    }

    /// @notice Sends wei, copying nothing of the answer.
    /// @return paid The receiver took it.
    function _tryPay(address to, uint256 amount) internal returns (bool paid) {
        if (amount == 0) return true;
        assembly ("memory-safe") {
            paid := call(gas(), to, amount, 0, 0, 0, 0)
        }
    }

    /// @notice Sends wei or reverts: for money that goes back to who called.
    function _pay(address to, uint256 amount) internal {
        if (!_tryPay(to, amount)) revert PaymentRefused(to);
    }

    function _giveUp(uint256 requestId, Open memory open) private {
        // SECURITY: or a request could be taken from whoever waits for its answer
        if (block.number <= open.giveUpAfterBlock) revert TooEarlyToGiveUp(requestId, open.giveUpAfterBlock);
        _authorizeGiveUp(requestId, msg.sender);
        // SECURITY: closed before anything is given back
        delete _open[requestId];
        emit XVMGivenUp(requestId, msg.sender);
        _onGivenUp(requestId, open.context);
    }
}
