/**
 * What each fault really is, what the two sides see of it, and which setting ends the wait. In PostgreSQL's names, with its
 * defaults: https://www.postgresql.org/docs/current/runtime-config-replication.html
 *
 * There is no fault of the clock: all nodes are processes of one machine and read the same one. Not even a container has
 * its own, and PostgreSQL asks the kernel for the time at once, past everything that could be put between.
 */

export type FaultName =
  | 'stop'
  | 'crash'
  | 'freeze'
  | 'isolate'
  | 'isolate in'
  | 'isolate out'
  | 'black hole'
  | 'slow'
  | 'cut from WAL'
  | 'replay paused'
  | 'disk full'

export interface FaultFacts {
  readonly name: FaultName
  /** What is done, and with what. */
  readonly is: string
  /** What the servers of the cluster see. */
  readonly serversSee: string
  readonly clientsSee: string
  /** After how long somebody notices, and by which setting. */
  readonly noticed: string
}

/** Every fault of the lab. */
export const faultCatalogue: readonly FaultFacts[] = [
  {
    name: 'stop',
    is: 'A fast shutdown (SIGINT). WAL senders stay until the standbys have everything.',
    serversSee: 'The standbys: the end of replication. Nothing is lost.',
    clientsSee: '57P01 on open connections, then ECONNREFUSED.',
    noticed: 'At once.',
  },
  {
    name: 'crash',
    is: 'SIGKILL to every process of the node.',
    serversSee: 'The standbys: a connection that is reset. What was not sent is on no other node.',
    clientsSee: 'A reset connection (08006 or ECONNRESET), then ECONNREFUSED.',
    noticed: 'At once: the kernel closes the sockets. A machine that loses its power tells nobody; that is freeze.',
  },
  {
    name: 'freeze',
    is: 'SIGSTOP to every process of the node; SIGCONT heals it.',
    serversSee: 'A peer that is connected and says nothing. What it is sent waits in its socket, and is received then.',
    clientsSee: 'Open connections get no answer; new ones are taken by the kernel, and get none either.',
    noticed:
      'By peers after wal_sender_timeout or wal_receiver_timeout (60 s), by clients after their own limit for a statement, and connect_timeout for a new connection (libpq has none unless set).',
  },
  {
    name: 'isolate',
    is: 'Docker: the node is taken off the network of replication. Local: links between it and its peers let nothing through, and refuse new connections.',
    serversSee:
      'Connections that are open and silent. An isolated primary goes on accepting writes, and with a synchronous standby it waits for ever.',
    clientsSee: 'Nothing. A commit that waits for a synchronous standby does not return.',
    noticed:
      'By the primary after wal_sender_timeout (60 s), by a standby after wal_receiver_timeout (60 s). Until then both say streaming.',
  },
  {
    name: 'isolate in',
    is: 'Links: what is sent to the node does not arrive, what it sends does. Acknowledgements of TCP still do.',
    serversSee:
      'Of a primary: its standbys replay everything and it hears of none of it. Of a standby: it gets nothing, and goes on reporting.',
    clientsSee: 'As for isolate.',
    noticed:
      'A primary gives its standbys up after wal_sender_timeout (60 s), and they are told. A standby leaves after wal_receiver_timeout (60 s), and the primary is told.',
  },
  {
    name: 'isolate out',
    is: 'Links: what the node sends does not arrive, what it is sent does.',
    serversSee:
      'Of a primary: the standbys get nothing, and their reports arrive. Of a standby: it replays everything, and its primary hears of none of it, so its slot retains WAL.',
    clientsSee: 'As for isolate.',
    noticed:
      'By the standbys of a primary after wal_receiver_timeout (60 s); by the primary of a standby after wal_sender_timeout (60 s).',
  },
  {
    name: 'black hole',
    is: 'Links in front of the nodes: bytes between the node and the clients do not arrive; new connections are taken and get no answer. One way, too: then what a client wrote is done, and it never hears of it.',
    serversSee: 'Sessions that are idle, or wait for their client. Replication goes on.',
    clientsSee: 'No answer, and no error. What was sent arrives late, when it heals.',
    noticed:
      "By a client after its own limit: the writer's is 2 s for a statement and 1 s for a connection; node-postgres, libpq and JDBC have none unless set. On a real network also after tcp_user_timeout, or 15 minutes of retransmission (Linux), and by the server after tcp_keepalives_idle (2 h); a link hides both, because its own kernel answers.",
  },
  {
    name: 'slow',
    is: 'Links: each byte arrives later by a latency each way, over a limited bandwidth. A connection itself is made without it.',
    serversSee:
      'write_lag, flush_lag and replay_lag of pg_stat_replication grow; sent_lsn runs ahead into socket buffers.',
    clientsSee: 'Slower answers; behind a slow synchronous standby, slower commits.',
    noticed: 'By no setting, unless a message takes longer than those above.',
  },
  {
    name: 'cut from WAL',
    is: "primary_conninfo = '': the standby asks nobody for WAL.",
    serversSee: 'The primary: one standby less, and a slot that retains WAL. The standby answers, and stands still.',
    clientsSee: 'Nothing on the primary; what a standby answers grows old.',
    noticed: 'At once: the connection is closed.',
  },
  {
    name: 'replay paused',
    is: 'pg_wal_replay_pause() on a standby. It goes on receiving.',
    serversSee:
      'replay_lsn stands still while flush_lsn goes on; WAL piles up on the standby. Promotion waits for what is received to be applied.',
    clientsSee: 'What the standby answers grows old; a commit with synchronous_commit=remote_apply waits for it.',
    noticed: 'By no setting: pg_get_wal_replay_pause_state() says so.',
  },
  {
    name: 'disk full',
    is: "A file takes what is left on the node's own small filesystem; the kernel answers ENOSPC. UNSUPPORTED_FAULT where the node shares its filesystem.",
    serversSee:
      'A standby: its WAL receiver ends with every try, at each wal_retrieve_retry_interval, and the standby stands still. A primary: 53100 for a table that must grow, and its end when WAL cannot be written.',
    clientsSee: '53100, or a server that is gone.',
    noticed: 'At once by what needs room. A standby that stands still is noticed by nobody who does not look.',
  },
]
