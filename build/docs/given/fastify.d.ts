import type { FastifyInstance, FastifyReply, FastifyRequest } from 'fastify'

export declare const fastify: FastifyInstance
export declare const request: FastifyRequest
export declare const reply: FastifyReply
