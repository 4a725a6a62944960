// SPDX-License-Identifier: Apache-2.0
pragma solidity ^0.8.27;

import {IXvmCallback} from "../interfaces/IXvmCallback.sol";
import {Options} from "../interfaces/XvmTypes.sol";
import {PendingWords} from "../libraries/PendingWords.sol";
import {XvmMockGateway} from "./XvmMockGateway.sol";

/// @title A gateway that cheats, for tests
/// @notice A mock gateway that also does what no gateway does, and what strangers may try: a contract that asks should come out
/// of each of these as if nothing had been. Each attempt's fate is logged.
contract XvmHostileGateway is XvmMockGateway {
    using PendingWords for uint256;

    /// @notice A callback was attempted. `accepted`: the client did not revert.
    event Attempted(address indexed client, uint256 indexed requestId, bool accepted);

    bool private _isArmed;
    bool private _success;
    bytes private _returnData;

    /// @notice Delivers, and then calls back once more with another answer.
    function callBackTwice(uint256 requestId, bool success, bytes calldata returnData) external {
        address client = _pending[requestId].who.requesterOf();
        deliver(requestId);
        callBack(client, requestId, success, returnData);
    }

    /// @notice Calls a client back about any id, asked for or not.
    function callBack(address client, uint256 requestId, bool success, bytes memory returnData) public {
        _attempt(client, requestId, 300_000, success, returnData);
    }

    /// @notice Has somebody else than the gateway call a client back: what a request whose target is that client's own
    /// `xvmCallback` would do.
    function callBackFromElsewhere(address client, uint256 requestId, bool success, bytes calldata returnData)
        external
    {
        (bool accepted,,) = EXECUTOR.run(
            client, 300_000, 0, abi.encodeCall(IXvmCallback.xvmCallback, (requestId, success, returnData))
        );
        emit Attempted(client, requestId, accepted);
    }

    /// @notice Calls back with `length` zero bytes, whatever the request's limit.
    function flood(uint256 requestId, uint256 length) external {
        uint256 who = _pending[requestId].who;
        _attempt(who.requesterOf(), requestId, who.callbackGasOf(), true, new bytes(length));
    }

    /// @notice Delivers with less gas for the handler than was asked for. A handler that fails of it stays replayable.
    function starve(uint256 requestId, uint32 gasLimit) external {
        uint256 who = _pending[requestId].who;
        _pending[requestId].who = who & ~(uint256(type(uint32).max) << 160) | (uint256(gasLimit) << 160);
        deliver(requestId);
    }

    /// @notice Answers the next request before its asker even knows its id, in the same call; and leaves it pending.
    function answerAtOnce(bool success, bytes calldata returnData) external {
        (_isArmed, _success, _returnData) = (true, success, returnData);
    }

    function _ask(bytes memory target, bytes memory payload, Options memory options, uint256 origin)
        internal
        override
        returns (uint256 requestId)
    {
        requestId = super._ask(target, payload, options, origin);
        if (!_isArmed) return requestId;
        _isArmed = false;
        _attempt(msg.sender, requestId, 300_000, _success, _returnData);
    }

    function _attempt(address client, uint256 requestId, uint256 gasLimit, bool success, bytes memory returnData)
        private
    {
        emit Attempted(client, requestId, _callback(requestId, client, gasLimit, success, returnData));
    }
}
