// SPDX-License-Identifier: Apache-2.0
pragma solidity 0.8.37;

import {XVMClient} from "../../src/client/XVMClient.sol";
import {XvmResult} from "../../src/client/XvmResult.sol";
import {IXvmGateway} from "../../src/interfaces/IXvmGateway.sol";
import {Options} from "../../src/interfaces/XvmTypes.sol";

/// @notice A client that asks whatever a test wants and notes what it hears.
contract Asker is XVMClient {
    uint256 public answers;
    uint256 public givenUp;
    bool public failing;
    bytes32 public lastContext;
    uint256 public lastCost;
    uint256 public gasAtEntry;
    XvmResult private _last;

    constructor(IXvmGateway gateway_, uint64 timeoutBlocks_) XVMClient(gateway_, timeoutBlocks_) {}

    function setFailing(bool failing_) external {
        failing = failing_;
    }

    function ask(bytes calldata target, bytes calldata payload, Options calldata options, bytes32 context)
        external
        payable
        returns (uint256 requestId)
    {
        (requestId, lastCost) = _ask(target, payload, options, msg.value, context);
        _pay(msg.sender, msg.value - lastCost);
    }

    function call(uint256 chainId, address target, bytes calldata payload)
        external
        payable
        returns (uint256 requestId)
    {
        (requestId, lastCost) = _call(chainId, target, payload, msg.value);
        _pay(msg.sender, msg.value - lastCost);
    }

    function query(uint256 chainId, address target, bytes calldata payload)
        external
        payable
        returns (uint256 requestId)
    {
        (requestId, lastCost) = _query(chainId, target, payload, msg.value);
        _pay(msg.sender, msg.value - lastCost);
    }

    /// @notice Asks at the expense of what this contract has.
    function callAtOwnExpense(uint256 chainId, address target, bytes calldata payload, uint256 budget) external {
        (, lastCost) = _call(chainId, target, payload, budget);
    }

    function quotes(uint256 chainId, address target, uint256 length) external view returns (uint256, uint256) {
        return (_quoteCall(chainId, target, length), _quoteQuery(chainId, target, length));
    }

    function last() external view returns (XvmResult memory) {
        return _last;
    }

    function _onResult(uint256, XvmResult memory result) internal override {
        gasAtEntry = gasleft();
        require(!failing, "failing");
        ++answers;
        _last = result;
    }

    function _onGivenUp(uint256, bytes32 context) internal override {
        ++givenUp;
        lastContext = context;
    }
}
