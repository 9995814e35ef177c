/**
 * Who manages the nodes instead of the lab, by the labels of the compose files in stacks/: a container that the lab has Compose
 * make has none of them.
 */
import type Docker from 'dockerode'
import type { Topology } from '../../topology/topology.ts'
import type { Manager } from '../runtime.ts'
import { ONE_OFF, PROJECT, SERVICE } from './containers.ts'

const MANAGER = 'pg-failover-lab.manager'
const CLUSTER_NAME = 'pg-failover-lab.cluster-name'

/** Undefined where no container has such labels, running or not. */
export async function readManager(engine: Docker, { project, nodes }: Topology): Promise<Manager | undefined> {
  const label = [`${PROJECT}=${project}`, `${ONE_OFF}=False`, MANAGER]
  const containers = await engine.listContainers({ all: true, filters: { label } })
  const found = containers.filter(({ Labels }) => nodes.some(({ name }) => name === Labels[SERVICE]))
  const [first] = found
  if (first === undefined) return undefined
  const { [MANAGER]: name = '', [CLUSTER_NAME]: clusterName = '' } = first.Labels
  return { name, clusterName, nodes: found.map(({ Labels }) => Labels[SERVICE] ?? '').sort() }
}
