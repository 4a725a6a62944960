// SPDX-License-Identifier: Apache-2.0
pragma solidity 0.8.37;

import {IXvmRegistry} from "./interfaces/IXvmRegistry.sol";
import {IXvmRoutes} from "./interfaces/IXvmRoutes.sol";
import {XvmControl} from "./XvmControl.sol";
import {XvmCredits} from "./XvmCredits.sol";
import {XvmDestination} from "./XvmDestination.sol";
import {XvmPausable} from "./XvmPausable.sol";
import {XvmSource} from "./XvmSource.sol";

/// @title A chain's gateway
/// @notice Both sides in one contract. It takes no money but the fees of requests, and is not upgradeable: a new version is a
/// new gateway, which the registry names.
contract XvmGateway is XvmSource, XvmDestination {
    /// @param owner_ Sets verifier, treasury and guardian; a timelock where it matters.
    /// @param guardian_ Who may pause; zero: nobody but the owner.
    /// @param maxPauseBlocks_ See `IXvmPausable.maxPauseBlocks`.
    /// @param treasury_ Gets shares whose payee is no account of this chain.
    /// @param routes_ The route and price table; fixed.
    /// @param registry_ The registry that names operators' payout addresses; zero if this chain has none. Fixed.
    constructor(
        address owner_,
        address guardian_,
        uint32 maxPauseBlocks_,
        address treasury_,
        IXvmRoutes routes_,
        IXvmRegistry registry_
    ) XvmPausable(owner_, guardian_, maxPauseBlocks_) XvmControl(routes_, registry_) XvmCredits(treasury_) {}
}
