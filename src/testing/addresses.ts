/**
 * The addresses that an application is given: they are in this process, and lead to whoever has the role.
 */
import type { Cluster } from '../cluster/cluster.ts'
import { linkClients } from '../cluster/links.ts'
import { Disposer } from '../dispose.ts'
import { Address } from '../links/address.ts'
import type { ServerAddress } from '../postgres/connection.ts'
import { connectionUrl } from '../postgres/conninfo.ts'
import type { Endpoint } from '../runtime/runtime.ts'
import type { Credentials } from '../topology/topology.ts'
import type { Roles } from './roles.ts'

/** What a real address does at a promotion, and a perfect one would not. */
export interface AddressOptions {
  /**
   * New connections are led to the new primary so many milliseconds after its promotion: the time to live of a DNS name, the
   * interval of a proxy's checks. `never`: the address is that of one server, until {@link OpenAddress.move}. @default 0
   */
  readonly moveAfterMs?: number | 'never' | undefined
  /**
   * Connections to the old primary that are still open when the address moves: DNS and virtual addresses keep them, some
   * proxies close them. @default 'keep'
   */
  readonly oldConnections?: 'keep' | 'close' | undefined
  /** Of 127.0.0.1. @default a free one */
  readonly port?: number | undefined
}

/** One of them, while it is open. */
export interface OpenAddress extends AsyncDisposable {
  /** `postgresql://app:…@127.0.0.1:41234/testdb` */
  readonly url: string
  /** The same for `new pg.Pool(…)`. */
  readonly connectionConfig: ServerAddress
  /** Leads new connections to the primary of the moment from now on, as somebody does who changes a DNS record. */
  readonly move: () => void
}

/** Who connects, and to which database. */
export interface Account extends Credentials {
  readonly database: string
}

/** Opens addresses for a cluster, behind links, so that black holes and slow networks concern what goes over them. */
export class Addresses implements AsyncDisposable {
  readonly #cluster: Cluster
  readonly #roles: Roles
  readonly #resources = new Disposer()
  #turn = 0

  private constructor(cluster: Cluster, roles: Roles) {
    this.#cluster = cluster
    this.#roles = roles
  }

  static async open(cluster: Cluster, roles: Roles): Promise<Addresses> {
    const addresses = new Addresses(cluster, roles)
    addresses.#resources.use(await linkClients(cluster))
    return addresses
  }

  /** Of the primary. */
  async toPrimary(account: Account, options: AddressOptions = {}): Promise<OpenAddress> {
    const { moveAfterMs = 0, oldConnections = 'keep', port } = options
    let node = this.#roles.primary
    const address = await Address.open(() => this.#endpoint(node), port)
    const timers = new Set<NodeJS.Timeout>()
    const moveTo = (name: string): void => {
      node = name
      if (oldConnections === 'close') address.dropOthers()
    }
    const forget = this.#roles.onPromotion(promotion => {
      if (moveAfterMs === 'never') return
      // At once means before whoever promoted it goes on.
      if (moveAfterMs === 0) return moveTo(promotion.node)
      timers.add(setTimeout(() => moveTo(promotion.node), moveAfterMs))
    })
    const anew = this.#roles.onAnew(() => (node = this.#roles.primary))
    const close = (): void => {
      forget()
      anew()
      for (const timer of timers) clearTimeout(timer)
    }
    return { ...this.#opened(address, account, close), move: () => moveTo(this.#roles.primary) }
  }

  /** Of the standbys, one after another for each new connection; of the primary where none answers. */
  async toStandbys(account: Account, { port }: Pick<AddressOptions, 'port'> = {}): Promise<Opened> {
    const address = await Address.open(() => {
      const { standbys, primary } = this.#roles
      return this.#endpoint(standbys[this.#turn++ % Math.max(1, standbys.length)] ?? primary)
    }, port)
    return this.#opened(address, account)
  }

  /** Of a node, whatever its role. */
  toNode(node: string, account: Account): Pick<OpenAddress, 'url' | 'connectionConfig'> {
    return described(this.#cluster.clientEndpoint(node), account)
  }

  async [Symbol.asyncDispose](): Promise<void> {
    await this.#resources[Symbol.asyncDispose]()
  }

  #endpoint(node: string): Endpoint {
    return this.#cluster.clientEndpoint(node)
  }

  #opened(address: Address, account: Account, close?: () => void): Opened {
    this.#resources.use(address)
    const dispose = async (): Promise<void> => {
      close?.()
      await address[Symbol.asyncDispose]()
    }
    if (close !== undefined) this.#resources.defer(close)
    return { ...described(address.endpoint, account), [Symbol.asyncDispose]: dispose }
  }
}

type Opened = Omit<OpenAddress, 'move'>

function described(
  { host, port }: Endpoint,
  { user, password, database }: Account,
): Pick<OpenAddress, 'url' | 'connectionConfig'> {
  return {
    url: connectionUrl({ host, port, user, password, database }),
    connectionConfig: { host, port, user, password, database },
  }
}
