/* How the examples refuse, besides the ways that are the gateway's. Numbers continue far from its own, so that one number has one name. */
#pragma once

enum {
  OVERFLOW = 7000,
  NOT_ASKER = 7001,        /* the question is somebody else's */
  WRONG_GATEWAY = 7002,    /* not the one that was chosen */
  NOT_WAITING = 7003,      /* answered or given up already */
  STILL_WAITING = 7004,
  OTHER_QUESTION = 7005,   /* an answer to what was not asked here */
  HANDLER_REFUSES = 7006,  /* as its manner wants it */
  TOO_MANY_HANDLER_ACCOUNTS = 7007,
  NOT_BORROWER = 7008,
};
