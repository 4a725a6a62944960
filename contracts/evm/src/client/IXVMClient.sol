// SPDX-License-Identifier: Apache-2.0
pragma solidity ^0.8.27;

import {IXvmCallback} from "../interfaces/IXvmCallback.sol";
import {Request} from "../interfaces/XvmTypes.sol";

/// @title Contract that asks
/// @notice What everybody may see of, and do for, a contract that is built on `XVMClient`.
interface IXVMClient is IXvmCallback {
    /// @notice A callback came for a request that is not open (given up before), and did nothing.
    event XVMAnswerIgnored(uint256 indexed requestId);

    /// @notice A request was given up: whatever becomes of it, this contract does nothing any more.
    event XVMGivenUp(uint256 indexed requestId, address by);

    /// @notice Somebody else than the gateway called back, or sent money.
    error NotGateway(address caller);

    /// @notice An address that must not be zero is.
    error ZeroGateway();

    /// @notice The request costs more than may be spent on it.
    error FeeAboveBudget(uint256 fee, uint256 budget);

    /// @notice The request was never made here, was answered, or was given up.
    error NotOpen(uint256 requestId);

    /// @notice The answer may still be waited for.
    error TooEarlyToGiveUp(uint256 requestId, uint256 afterBlock);

    /// @notice The receiver refused the money.
    error PaymentRefused(address to);

    /// @notice The gateway that it asks and believes.
    function gateway() external view returns (address);

    /// @notice For how many blocks an answer is waited for.
    function timeoutBlocks() external view returns (uint64);

    /// @notice What is known of an open request.
    /// @return open It waits for its answer.
    /// @return giveUpAfterBlock Height after which it may be given up.
    /// @return context What was written down when asking.
    function openRequest(uint256 requestId) external view returns (bool open, uint256 giveUpAfterBlock, bytes32 context);

    /// @notice Stops waiting for an answer after `timeoutBlocks`. A later callback is ignored. SECURITY: a `CALL` may have been
    /// executed all the same.
    function giveUp(uint256 requestId) external;

    /// @notice Has the gateway cancel a request, which returns a part of the fee to this contract, and gives it up if it is still
    /// open. The gateway wants the request's deadline and expiry to be over.
    /// @param request The whole request, as logged by the gateway.
    function cancelRequest(Request calldata request) external;

    /// @notice Takes this contract's credit out of the gateway into this contract: refunds that were credited.
    /// @return amount Wei.
    function collectCredit() external returns (uint256 amount);
}
