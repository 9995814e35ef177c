/**
 * `ports` of a service.
 * https://docs.docker.com/reference/compose-file/services/#ports
 * https://github.com/docker/go-connections/blob/main/nat/nat.go
 */
import { isIP } from 'node:net'
import type { ComposePort } from './model.ts'

/** `127.0.0.1:5432:5432/tcp`: one for each port of a range. @throws Error */
export function shortPorts(text: string): ComposePort[] {
  const [address = '', protocol = 'tcp', ...rest] = text.split('/')
  if (rest.length > 0 || !['tcp', 'udp', 'sctp'].includes(protocol.toLowerCase()))
    throw new Error(`"${text}" has another protocol than tcp, udp and sctp`)
  const parts = address.split(':')
  const target = range(parts.pop() ?? '', text)
  const host = parts.pop() ?? ''
  const published = host === '' ? undefined : range(host, text)
  const base = { ...hostIp(parts.join(':'), text), protocol: protocol.toLowerCase() }
  if (published === undefined) return numbers(target).map(port => ({ ...base, target: port }))
  if (target.first === target.last) {
    const { first, last } = published
    return [{ ...base, target: target.first, published: first === last ? String(first) : `${first}-${last}` }]
  }
  if (published.last - published.first !== target.last - target.first)
    throw new Error(`"${text}" has two ranges of different length`)
  return numbers(target).map((port, at) => ({ ...base, target: port, published: String(published.first + at) }))
}

function hostIp(written: string, text: string): { host_ip?: string } {
  if (written === '') return {}
  const address = /^\[(.*)\]$/.exec(written)?.[1] ?? written
  const family = isIP(address)
  if (family === 0) throw new Error(`"${text}" publishes on ${written}, which is no IP address`)
  if (family === 6 && address === written) throw new Error(`"${text}" needs brackets around its IPv6 address`)
  return { host_ip: address }
}

interface Range {
  readonly first: number
  readonly last: number
}

function range(written: string, text: string): Range {
  const [, first = '', last = first] = /^(\d{1,5})(?:-(\d{1,5}))?$/.exec(written) ?? []
  const numbers = { first: Number(first), last: Number(last) }
  if (first === '' || numbers.first > numbers.last || numbers.last > 65_535)
    throw new Error(`"${text}" has "${written}" for a port`)
  return numbers
}

const numbers = ({ first, last }: Range): number[] => Array.from({ length: last - first + 1 }, (_, at) => first + at)
