// SPDX-License-Identifier: Apache-2.0
pragma solidity 0.8.37;

import {Assertions} from "../Assertions.sol";
import {Journeys} from "./Journeys.sol";

/// @notice What holds of requests on their way there and back, whoever does what in whichever order.
/// @dev Whether it would be seen was tried by breaking the gateway by hand, with three seeds. Each of these fails the default 32
/// runs: a request that was executed is executed again; a delivery, a replay, a reclaim or a pool leaves its record; an execution
/// share is credited to requester and worker; who cancelled is told all the same. Two of three seeds fail them, and the third 128
/// runs: a retry runs although an earlier attempt did; an ordered request does not wait. Two of three seeds, and the third in
/// 512 runs: a predecessor counts as lapsed too early.
contract JourneysTest is Assertions {
    /// @dev As forge has it.
    struct FuzzSelector {
        address addr;
        bytes4[] selectors;
    }

    Journeys private journeys;

    function setUp() public {
        journeys = new Journeys();
        journeys.prepare();
    }

    /// @dev Its actions, those twice that carry requests on.
    function targetSelectors() external view returns (FuzzSelector[] memory targets) {
        bytes4[18] memory actions = [
            Journeys.ask.selector,
            Journeys.ask.selector,
            Journeys.executeSome.selector,
            Journeys.executeSome.selector,
            Journeys.expireOne.selector,
            Journeys.showLapsed.selector,
            Journeys.deliverSome.selector,
            Journeys.deliverSome.selector,
            Journeys.cancel.selector,
            Journeys.retry.selector,
            Journeys.reclaim.selector,
            Journeys.setFailing.selector,
            Journeys.replay.selector,
            Journeys.topUp.selector,
            Journeys.withdraw.selector,
            Journeys.rotateBoth.selector,
            Journeys.pauseCallbacks.selector,
            Journeys.pass.selector
        ];
        targets = new FuzzSelector[](1);
        targets[0] = FuzzSelector(address(journeys), new bytes4[](19));
        for (uint256 i = 0; i < actions.length; ++i) {
            targets[0].selectors[i] = actions[i];
        }
        targets[0].selectors[18] = Journeys.shareOut.selector;
    }

    function targetContracts() external view returns (address[] memory targets) {
        targets = new address[](1);
        targets[0] = address(journeys);
    }

    /// @notice SECURITY: all that must hold at every moment, in one so that each run checks it all.
    function invariant_SECURITY_NobodyIsRobbedAndNothingHappensTwice() external view {
        assertEq(journeys.held(), journeys.owed(), "balance = open fees + credits + pools + uncollected");
        assertTrue(!journeys.ledger().ranTwice(), "nothing runs twice, whatever its attempts");
        assertTrue(!journeys.ledger().ranOutOfOrder(), "what is ordered runs in its order");
        journeys.checkWhatWasTold();
        journeys.checkNoncesAndEpochs();
    }

    /// @notice SECURITY: no request is stuck, and no wei.
    function afterInvariant() external {
        journeys.finish();
    }
}
