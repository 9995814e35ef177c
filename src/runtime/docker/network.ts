/**
 * The networks of the containers: clients reach them over one, and they replicate over the other.
 */
import { networkInterfaces } from 'node:os'
import type Docker from 'dockerode'
import { LabError } from '../../errors.ts'
import type { Topology } from '../../topology/topology.ts'
import type { NetworkControl } from '../runtime.ts'
import type { Containers } from './containers.ts'
import { dockerError } from './engine.ts'

/** What the lab cuts and slows, and what it goes on asking over. */
const NETWORKS = ['clients', 'replication']

/** @throws LabError COMPOSE_FILE_INVALID */
export function requireNetworks({ nodes, model, file }: Topology): void {
  for (const { name } of nodes) {
    const missing = NETWORKS.filter(network => !Object.hasOwn(model.services[name]?.networks ?? {}, network))
    if (missing.length === 0) continue
    throw new LabError(
      'COMPOSE_FILE_INVALID',
      `the lab cannot run service ${name} of ${file}: it is not on the network ${missing.join(' and ')}`,
      {
        hint: 'A node is on two networks, clients and replication, so that it can be cut from its peers and still be asked. docs/configuration.md shows how.',
      },
    )
  }
}

export function dockerNetwork(engine: Docker, containers: Containers): NetworkControl {
  return {
    hostForNodes: async () => gatewayHere(await containers.network('clients')),
    addressesOf: async node => {
      const container = await containers.find(node)
      const { Networks = {} } = (await container?.inspect())?.NetworkSettings ?? {}
      return Object.values(Networks).flatMap(({ IPAddress, GlobalIPv6Address }) =>
        [IPAddress, GlobalIPv6Address].filter(address => address !== ''),
      )
    },
    replication: {
      isConnected: async node => {
        const container = await containers.find(node)
        return container === undefined || (await isOn(container, (await containers.network('replication')).Name))
      },
      disconnect: async node => {
        const container = await containers.get(node)
        const { Id, Name } = await containers.network('replication')
        if (await isOn(container, Name))
          await engine
            .getNetwork(Id)
            .disconnect({ Container: container.id })
            .catch(failed(`cannot disconnect ${node} from ${Name}`))
        return `docker network disconnect ${Name} ${await nameOf(container)}`
      },
      connect: async node => {
        const container = await containers.get(node)
        const { Id, Name } = await containers.network('replication')
        // Compose has named it so, and its names are forgotten with the connection.
        const aliases = [node, `${node}.replication`]
        if (!(await isOn(container, Name)))
          await engine
            .getNetwork(Id)
            .connect({ Container: container.id, EndpointConfig: { Aliases: aliases } })
            .catch(failed(`cannot connect ${node} to ${Name}`))
        const named = aliases.map(alias => `--alias ${alias}`).join(' ')
        return `docker network connect ${named} ${Name} ${await nameOf(container)}`
      },
    },
  }
}

/**
 * The containers reach this machine at their network's gateway: a bridge that an engine on the same Linux has made here.
 * An engine in a virtual machine, or on another one, has its gateway there.
 */
function gatewayHere({ Name, IPAM }: Docker.NetworkInspectInfo): string {
  const gateways = (IPAM?.Config ?? []).flatMap(({ Gateway }) => (Gateway === undefined ? [] : [Gateway]))
  const own = Object.values(networkInterfaces()).flatMap(addresses => addresses?.map(({ address }) => address) ?? [])
  const found = gateways.find(gateway => own.includes(gateway))
  if (found !== undefined) return found
  throw new LabError(
    'UNSUPPORTED_FAULT',
    `the containers cannot be reached by a link here: the gateway of ${Name} (${gateways.join(', ')}) is no address of this machine`,
    { hint: 'Use LAB_RUNTIME=local, or a Docker Engine that runs on this very Linux, not in a virtual machine.' },
  )
}

async function isOn(container: Docker.Container, network: string): Promise<boolean> {
  return network in (await container.inspect()).NetworkSettings.Networks
}

const nameOf = async (container: Docker.Container): Promise<string> => (await container.inspect()).Name.slice(1)

const failed =
  (fact: string) =>
  (error: unknown): never => {
    throw dockerError(fact, error)
  }
