//! Each kind of question against services that answer, and against those that do not: real sockets of
//! this host, in threads of this process.
