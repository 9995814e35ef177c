/**
 * The links of one kind in a cluster (between its nodes, or in front of them): there for as long as somebody holds them,
 * and with all that is imposed on the ways between.
 */
import { collected, Disposer, once } from '../dispose.ts'
import { Link, type Impairment, type LinkOptions } from './link.ts'
import type { Endpoint } from '../runtime/runtime.ts'

/** Who connects over the links in front of the nodes. */
export const CLIENTS = 'clients'

/** From who connects to the node that is connected to. */
export interface Route {
  readonly from: string
  readonly to: string
}

/** What is imposed on a way, if anything. */
export type Rule = (route: Route) => Impairment | undefined

export class LinkGroup {
  readonly #links = new Set<{ readonly route: Route; readonly link: Link }>()
  readonly #rules = new Map<Rule, Disposer>()
  #holders = 0
  #placed: AsyncDisposable | undefined
  #turn: Promise<void> = Promise.resolve()

  get isInPlace(): boolean {
    return this.#links.size > 0
  }

  /** Where to connect instead of to the node itself; undefined without a link. */
  endpoint({ from, to }: Route): Endpoint | undefined {
    return [...this.#links].find(({ route }) => route.from === from && route.to === to)?.link.endpoint
  }

  /**
   * Keeps the links in place until what it returns is disposed of by its last holder. The first has them put in by `place`,
   * which registers with the disposer how that is undone.
   */
  async hold(place: (resources: Disposer) => Promise<void>): Promise<AsyncDisposable> {
    await this.#inTurn(async () => {
      if (this.#holders === 0) this.#placed = await collected(place)
      this.#holders++
    })
    return once(() =>
      this.#inTurn(async () => {
        if (--this.#holders === 0) await this.#placed?.[Symbol.asyncDispose]()
      }),
    )
  }

  /** Opens a link, impaired as the rules say. Gone with `resources`. */
  async open(
    route: Route,
    { target, resources, ...options }: LinkOptions & { readonly target: Endpoint; readonly resources: Disposer },
  ): Promise<void> {
    const link = resources.use(await Link.open(target, options))
    const entry = { route, link }
    for (const [rule, imposed] of this.#rules) await impose(rule, imposed, entry)
    this.#links.add(entry)
    resources.defer(() => void this.#links.delete(entry))
  }

  /** Imposes on every way what the rule says of it, also on links that are put in later. */
  async impose(rule: Rule): Promise<AsyncDisposable> {
    const imposed = new Disposer()
    await this.#inTurn(async () => {
      this.#rules.set(rule, imposed)
      for (const entry of this.#links) await impose(rule, imposed, entry)
    })
    return once(() =>
      this.#inTurn(async () => {
        this.#rules.delete(rule)
        await imposed[Symbol.asyncDispose]()
      }),
    )
  }

  /** Two that put in links, or take them out, at the same time would each see half of them. */
  async #inTurn(change: () => Promise<void>): Promise<void> {
    const turn = this.#turn.catch(() => undefined).then(change)
    this.#turn = turn
    await turn
  }
}

async function impose(
  rule: Rule,
  imposed: Disposer,
  { route, link }: { readonly route: Route; readonly link: Link },
): Promise<void> {
  const impairment = rule(route)
  if (impairment !== undefined) imposed.use(await link.impose(impairment))
}
