import java.io.ByteArrayOutputStream;
import java.io.DataInputStream;
import java.io.IOException;
import java.io.UncheckedIOException;
import java.nio.ByteBuffer;
import java.nio.charset.StandardCharsets;
import java.nio.file.Files;
import java.nio.file.Path;
import java.security.MessageDigest;
import java.security.NoSuchAlgorithmException;
import java.util.ArrayList;
import java.util.Arrays;
import java.util.HashMap;
import java.util.List;
import java.util.Map;
import java.util.Properties;
import java.util.Set;
import java.util.regex.Pattern;

import com.google.i18n.phonenumbers.NumberParseException;
import com.google.i18n.phonenumbers.PhoneNumberUtil;
import com.google.i18n.phonenumbers.Phonenumber.PhoneNumber;
import org.apache.avro.Schema;
import org.apache.avro.generic.GenericData;
import org.apache.avro.generic.GenericDatumReader;
import org.apache.avro.generic.GenericRecord;
import org.apache.avro.io.BinaryDecoder;
import org.apache.avro.io.BinaryEncoder;
import org.apache.avro.io.DecoderFactory;
import org.apache.avro.io.EncoderFactory;
import org.apache.avro.util.Utf8;
import org.apache.kafka.clients.consumer.ConsumerConfig;
import org.apache.kafka.clients.producer.ProducerConfig;
import org.apache.kafka.common.serialization.ByteArrayDeserializer;
import org.apache.kafka.common.serialization.ByteArraySerializer;
import org.apache.kafka.common.serialization.Serializer;
import org.apache.kafka.streams.KafkaStreams;
import org.apache.kafka.streams.StreamsConfig;
import org.apache.kafka.streams.Topology;
import org.apache.kafka.streams.errors.StreamsUncaughtExceptionHandler.StreamThreadExceptionResponse;
import org.apache.kafka.streams.processor.api.ContextualProcessor;
import org.apache.kafka.streams.processor.api.ProcessorContext;
import org.apache.kafka.streams.processor.api.Record;

/**
 * The gate's job in Kafka Streams, exactly-once v2: decode, check, relevance, decide, write.
 *
 * <p>The law is not evaluated here. A table exported by the gate contains, for each combination of facts that occurs,
 * the bytes that follow an item's individual bytes. It replaces a full cache; the gate's own is full after a moment.
 *
 * <p>Arguments: bootstrap, source topic, prefix of the output topics, table, threads, state folder.
 */
public final class GateStreams {
    private GateStreams() {}

    public static void main(String[] args) throws Exception {
        Table table = Table.read(Path.of(args[3]));
        String prefix = args[2];
        Topology topology = new Topology();
        topology.addSource("source", new ByteArrayDeserializer(), new ByteArrayDeserializer(), args[1]);
        topology.addProcessor("gate", () -> new Gate(table, prefix), "source");
        Serializer<Output> outputs = (topic, output) -> output.value();
        topology.addSink(
                "sink", (key, output, context) -> output.topic(), new ByteArraySerializer(), outputs, "gate");

        KafkaStreams streams = new KafkaStreams(topology, makeProperties(args[0], prefix + "gate", args[4], args[5]));
        streams.setUncaughtExceptionHandler(failure -> {
            failure.printStackTrace();
            return StreamThreadExceptionResponse.SHUTDOWN_APPLICATION;
        });
        streams.setStateListener((now, before) -> {
            if (now == KafkaStreams.State.ERROR) {
                Runtime.getRuntime().halt(1);
            }
        });
        Runtime.getRuntime().addShutdownHook(new Thread(streams::close));
        streams.start();
    }

    private static Properties makeProperties(String bootstrap, String application, String threads, String folder) {
        Properties properties = new Properties();
        properties.put(StreamsConfig.APPLICATION_ID_CONFIG, application);
        properties.put(StreamsConfig.BOOTSTRAP_SERVERS_CONFIG, bootstrap);
        properties.put(StreamsConfig.STATE_DIR_CONFIG, folder);
        properties.put(StreamsConfig.PROCESSING_GUARANTEE_CONFIG, StreamsConfig.EXACTLY_ONCE_V2);
        properties.put(StreamsConfig.NUM_STREAM_THREADS_CONFIG, threads);
        properties.put(StreamsConfig.COMMIT_INTERVAL_MS_CONFIG, "100");
        properties.put(StreamsConfig.BUFFERED_RECORDS_PER_PARTITION_CONFIG, "10000");
        properties.put(StreamsConfig.consumerPrefix(ConsumerConfig.AUTO_OFFSET_RESET_CONFIG), "earliest");
        properties.put(StreamsConfig.consumerPrefix(ConsumerConfig.MAX_POLL_RECORDS_CONFIG), "10000");
        properties.put(StreamsConfig.consumerPrefix(ConsumerConfig.FETCH_MAX_WAIT_MS_CONFIG), "10");
        properties.put(StreamsConfig.consumerPrefix(ConsumerConfig.MAX_PARTITION_FETCH_BYTES_CONFIG), "4194304");
        properties.put(StreamsConfig.producerPrefix(ProducerConfig.LINGER_MS_CONFIG), "5");
        properties.put(StreamsConfig.producerPrefix(ProducerConfig.BATCH_SIZE_CONFIG), "1000000");
        properties.put(StreamsConfig.producerPrefix(ProducerConfig.BUFFER_MEMORY_CONFIG), "134217728");
        properties.put(StreamsConfig.producerPrefix(ProducerConfig.COMPRESSION_TYPE_CONFIG), "lz4");
        properties.put(StreamsConfig.producerPrefix(ProducerConfig.RETRY_BACKOFF_MS_CONFIG), "2");
        properties.put(StreamsConfig.producerPrefix(ProducerConfig.RETRY_BACKOFF_MAX_MS_CONFIG), "20");
        return properties;
    }

    /** One record to write. */
    record Output(String topic, byte[] value) {}

    /** The output for one State that is shared by all items with equal facts; an offer can be accepted for a period. */
    record Delivery(
            boolean offer,
            String topic,
            String state,
            long period,
            byte[] tail,
            byte[] contentTail,
            Set<String> redacted) {}

    /** The outputs for all items with equal facts; there is no draft if nothing is disclosed. */
    record Verdict(byte[] decisionTail, List<Delivery> deliveries, byte[] draftTail) {}

    /** The table that the gate exported. */
    record Table(
            Schema indicator,
            Map<String, byte[]> frames,
            byte[] namespace,
            String state,
            Set<String> countries,
            Map<String, Pattern> shapes,
            Map<String, Verdict> verdicts) {

        static Table read(Path path) throws IOException {
            try (DataInputStream in =
                    new DataInputStream(new java.io.BufferedInputStream(Files.newInputStream(path)))) {
                Schema indicator = new Schema.Parser().parse(new String(readBytes(in), StandardCharsets.UTF_8));
                Map<String, byte[]> frames = new HashMap<>();
                for (String name : List.of("indicator", "decision", "notice", "notice_content", "offer", "draft")) {
                    frames.put(name, readBytes(in));
                }
                byte[] namespace = readBytes(in);
                String state = in.readUTF();
                Set<String> countries = Set.copyOf(readTexts(in));
                Map<String, Pattern> shapes = new HashMap<>();
                for (int left = in.readInt(); left > 0; left--) {
                    shapes.put(in.readUTF(), Pattern.compile(in.readUTF()));
                }
                Map<String, Verdict> verdicts = new HashMap<>();
                for (int left = in.readInt(); left > 0; left--) {
                    verdicts.put(in.readUTF(), readVerdict(in));
                }
                return new Table(indicator, frames, namespace, state, countries, shapes, verdicts);
            }
        }

        private static Verdict readVerdict(DataInputStream in) throws IOException {
            byte[] decisionTail = readBytes(in);
            List<Delivery> deliveries = new ArrayList<>();
            for (int left = in.readInt(); left > 0; left--) {
                boolean offer = in.readBoolean();
                String topic = in.readUTF();
                String state = in.readUTF();
                long period = in.readLong();
                byte[] tail = readBytes(in);
                byte[] contentTail = readBytes(in);
                Set<String> redacted = Set.copyOf(readTexts(in));
                deliveries.add(new Delivery(offer, topic, state, period, tail, contentTail, redacted));
            }
            byte[] draftTail = readBytes(in);
            return new Verdict(decisionTail, deliveries, draftTail.length == 0 ? null : draftTail);
        }

        private static byte[] readBytes(DataInputStream in) throws IOException {
            return in.readNBytes(in.readInt());
        }

        private static List<String> readTexts(DataInputStream in) throws IOException {
            List<String> texts = new ArrayList<>();
            for (int left = in.readInt(); left > 0; left--) {
                texts.add(in.readUTF());
            }
            return texts;
        }
    }

    /** The values of an item that determine its verdict, compared undecoded. */
    static final class Key {
        private final Object[] parts;
        private final int hash;

        Key(Object[] parts) {
            this.parts = parts;
            this.hash = Arrays.hashCode(parts);
        }

        @Override
        public int hashCode() {
            return hash;
        }

        @Override
        public boolean equals(Object other) {
            return other instanceof Key that && Arrays.equals(parts, that.parts);
        }
    }

    /** The gate of one task. */
    static final class Gate extends ContextualProcessor<byte[], byte[], byte[], Output> {
        private static final Pattern ID = Pattern.compile("[0-9a-f]{8}(?:-[0-9a-f]{4}){3}-[0-9a-f]{12}");
        private static final int CACHE_ENTRIES_MAX = 20_000;

        private final Table table;
        private final Fields fields;
        private final Writer writer;
        private final String decisions;
        private final String drafts;
        private final GenericDatumReader<GenericRecord> reader;
        private final byte[] frame;
        private final Map<Key, Verdict> cache = new HashMap<>();
        private final PhoneNumberUtil phones = PhoneNumberUtil.getInstance();
        private final String prefix;
        private BinaryDecoder decoder;

        Gate(Table table, String prefix) {
            this.table = table;
            this.prefix = prefix;
            this.fields = new Fields(table.indicator());
            this.writer = new Writer(table, fields);
            String nationalPrefix = prefix + "national." + table.state().toLowerCase() + ".";
            this.decisions = nationalPrefix + "decisions";
            this.drafts = nationalPrefix + "drafts";
            GenericData data = new GenericData();
            data.setFastReaderEnabled(true);
            this.reader = new GenericDatumReader<>(table.indicator(), table.indicator(), data);
            this.frame = table.frames().get("indicator");
        }

        @Override
        public void init(ProcessorContext<byte[], Output> context) {
            super.init(context);
        }

        @Override
        public void process(Record<byte[], byte[]> message) {
            byte[] value = message.value();
            GenericRecord item = decode(value);
            String type = check(message.key(), item);
            long now = System.currentTimeMillis();
            Verdict verdict = decide(item, type, now);
            try {
                forward(message, decisions, writer.encodeDecision(item, verdict, now));
                if (verdict.draftTail() == null) {
                    return;
                }
                Map<Set<String>, byte[]> contents = new HashMap<>(4);
                for (Delivery delivery : verdict.deliveries()) {
                    byte[] output = delivery.offer()
                            ? writer.encodeOffer(item, delivery, now)
                            : writer.encodeNotice(item, delivery, contents, now);
                    forward(message, prefix + delivery.topic(), output);
                }
                byte[] draft = writer.encodeDraft(item, value, verdict, now);
                context().forward(message.withKey(writer.makeDraftKey(item)).withValue(new Output(drafts, draft)));
            } catch (IOException failure) {
                throw new UncheckedIOException(failure);
            }
        }

        private void forward(Record<byte[], byte[]> message, String topic, byte[] value) {
            context().forward(message.withValue(new Output(topic, value)));
        }

        private GenericRecord decode(byte[] value) {
            if (!Arrays.equals(value, 0, frame.length, frame, 0, frame.length)) {
                throw new IllegalStateException("not a frame of the current schema");
            }
            try {
                decoder = DecoderFactory.get().binaryDecoder(value, frame.length, value.length - frame.length, decoder);
                GenericRecord item = reader.read(null, decoder);
                if (!decoder.isEnd()) {
                    throw new IllegalStateException("bytes are left over");
                }
                return item;
            } catch (IOException failure) {
                throw new UncheckedIOException(failure);
            }
        }

        /** Checks id, key, State, type and value as the gate does; returns the type. */
        private String check(byte[] key, GenericRecord item) {
            Utf8 id = (Utf8) item.get(fields.id);
            if (!ID.matcher(id.toString()).matches()
                    || !Arrays.equals(key, 0, key.length, id.getBytes(), 0, id.getByteLength())) {
                throw new IllegalStateException("id");
            }
            if (!((GenericRecord) item.get(fields.source)).get(fields.sourceState).toString().equals(table.state())) {
                throw new IllegalStateException("source.state");
            }
            String type = item.get(fields.type).toString();
            Pattern shape = table.shapes().get(type);
            if (shape == null || !shape.matcher(item.get(fields.value).toString()).matches()) {
                throw new IllegalStateException("type or value");
            }
            if ((Integer) item.get(fields.version) != 1 || !item.get(fields.action).toString().equals("PUBLISH")) {
                throw new IllegalStateException("this workload contains first publications only");
            }
            return type;
        }

        private Verdict decide(GenericRecord item, String type, long now) {
            Key key = new Key(fields.extractFacts(item, findNexus(type, item.get(fields.value).toString()), now));
            Verdict verdict = cache.get(key);
            if (verdict == null) {
                verdict = table.verdicts().get(fields.renderFacts(key.parts));
                if (verdict == null) {
                    throw new IllegalStateException("the table lacks this combination of facts");
                }
                if (cache.size() >= CACHE_ENTRIES_MAX) {
                    cache.clear();
                }
                cache.put(key, verdict);
            }
            return verdict;
        }

        /** Returns the State that a value points to and the reason; "" if it points to none. */
        private String findNexus(String type, String value) {
            return switch (type) {
                case "phone-number" -> findPhoneNexus(value);
                case "domain-name" -> findHostNexus(value);
                case "email-addr" -> findHostNexus(value.substring(value.lastIndexOf('@') + 1));
                case "url" -> findHostNexus(extractHost(value));
                default -> ""; // hashes point nowhere, and no geolocation database is configured for IP addresses
            };
        }

        private String findPhoneNexus(String value) {
            try {
                PhoneNumber number = phones.parse(value, null);
                String region = phones.getRegionCodeForNumber(number);
                if (region == null || region.equals("001")) {
                    region = phones.getRegionCodeForCountryCode(number.getCountryCode());
                }
                return table.countries().contains(region)
                        ? region + "|E.164 prefix +" + number.getCountryCode()
                        : "";
            } catch (NumberParseException failure) {
                return "";
            }
        }

        private String findHostNexus(String host) {
            String label = host.substring(host.lastIndexOf('.') + 1);
            if (label.length() != 2) {
                return "";
            }
            String state = label.equals("uk") ? "GB" : label.toUpperCase();
            return table.countries().contains(state) ? state + "|ccTLD ." + label : "";
        }

        private static String extractHost(String url) {
            int start = url.indexOf("://") + 3;
            int end = start;
            while (end < url.length() && "/?#".indexOf(url.charAt(end)) < 0) {
                end++;
            }
            String authority = url.substring(start, end);
            String host = authority.substring(authority.lastIndexOf('@') + 1);
            int port = host.indexOf(':');
            return port < 0 ? host : host.substring(0, port);
        }
    }

    /** Positions of the fields in a record, and the facts of a record. */
    static final class Fields {
        final int id;
        final int version;
        final int action;
        final int type;
        final int value;
        final int source;
        final int sourceState;
        final int agency;
        final int officer;
        final int reviewAt;
        final int retainUntil;
        private final Schema schema;
        private final int[] direct;
        private final int authority;
        private final int offence;
        private final int codes;
        private final int modusOperandi;
        private final int maxPenaltyYears;
        private final int organisedGroup;
        private final int origin;
        private final int originState;
        private final int originConsent;
        private final int originConsentObtainable;
        private final int findings;
        private final int nexus;

        Fields(Schema schema) {
            this.schema = schema;
            id = positionOf("id");
            version = positionOf("version");
            action = positionOf("action");
            type = positionOf("type");
            value = positionOf("value");
            source = positionOf("source");
            reviewAt = positionOf("review_at");
            retainUntil = positionOf("retain_until");
            offence = positionOf("offence");
            origin = positionOf("origin");
            findings = positionOf("findings");
            nexus = positionOf("nexus");
            direct = new int[DIRECT.length];
            for (int index = 0; index < DIRECT.length; index++) {
                direct[index] = positionOf(DIRECT[index]);
            }
            Schema sources = schema.getField("source").schema();
            sourceState = sources.getField("state").pos();
            agency = sources.getField("agency").pos();
            officer = sources.getField("officer").pos();
            authority = sources.getField("authority").pos();
            Schema offences = schema.getField("offence").schema();
            codes = offences.getField("codes").pos();
            modusOperandi = offences.getField("modus_operandi").pos();
            maxPenaltyYears = offences.getField("max_penalty_years").pos();
            organisedGroup = offences.getField("organised_group").pos();
            Schema origins = schema.getField("origin").schema();
            originState = origins.getField("state").pos();
            originConsent = origins.getField("consent").pos();
            originConsentObtainable = origins.getField("consent_obtainable").pos();
        }

        static final String[] DIRECT = {
            "action", "type", "form", "collection", "secrecy_domain", "personal_data", "special_category", "purpose",
            "urgency", "enables_request", "live_case_harm", "tlp", "handling", "character",
        };

        private int positionOf(String name) {
            return schema.getField(name).pos();
        }

        Object[] extractFacts(GenericRecord item, String derived, long now) {
            Object[] parts = new Object[DIRECT.length + 12];
            int index = 0;
            for (int position : direct) {
                parts[index++] = item.get(position);
            }
            parts[index++] = ((GenericRecord) item.get(source)).get(authority);
            GenericRecord offences = (GenericRecord) item.get(offence);
            parts[index++] = offences.get(codes);
            parts[index++] = offences.get(modusOperandi);
            parts[index++] = offences.get(maxPenaltyYears);
            parts[index++] = offences.get(organisedGroup);
            GenericRecord origins = (GenericRecord) item.get(origin);
            parts[index++] = origins.get(originState);
            parts[index++] = origins.get(originConsent);
            parts[index++] = origins.get(originConsentObtainable);
            Long until = (Long) item.get(retainUntil);
            parts[index++] = until != null && until <= now ? "YES" : "NO";
            parts[index++] = ((Map<?, ?>) item.get(findings)).isEmpty() ? "" : "findings"; // not in the table
            parts[index++] = item.get(nexus);
            parts[index] = derived;
            return parts;
        }

        /** Returns facts in the text form that the table uses. */
        String renderFacts(Object[] parts) {
            StringBuilder text = new StringBuilder();
            for (Object part : parts) {
                if (part instanceof List<?> list) {
                    for (Object entry : list) {
                        if (entry instanceof GenericRecord pair) {
                            text.append(pair.get(0)).append('|').append(pair.get(1));
                        } else {
                            text.append(entry);
                        }
                        text.append(',');
                    }
                } else {
                    text.append(part);
                }
                text.append('\n');
            }
            return text.toString();
        }
    }

    /** Encodes outputs: the individual bytes of an item, then the bytes that it shares with others. */
    static final class Writer {
        private final Table table;
        private final Fields fields;
        private final ByteArrayOutputStream out = new ByteArrayOutputStream(4096);
        private final MessageDigest sha1;
        private BinaryEncoder encoder;

        Writer(Table table, Fields fields) {
            this.table = table;
            this.fields = fields;
            try {
                this.sha1 = MessageDigest.getInstance("SHA-1");
            } catch (NoSuchAlgorithmException failure) {
                throw new IllegalStateException(failure);
            }
        }

        byte[] encodeDecision(GenericRecord item, Verdict verdict, long now) throws IOException {
            begin("decision");
            encoder.writeString((Utf8) item.get(fields.id));
            encoder.writeInt((Integer) item.get(fields.version));
            encoder.writeInt(0); // no amendments
            encoder.writeLong(now);
            encoder.writeFixed(verdict.decisionTail());
            return end();
        }

        byte[] encodeNotice(GenericRecord item, Delivery delivery, Map<Set<String>, byte[]> contents, long now)
                throws IOException {
            byte[] head = contents.get(delivery.redacted());
            if (head == null) {
                head = encodeContent(item, delivery.redacted());
                contents.put(delivery.redacted(), head);
            }
            begin("notice");
            Utf8 id = (Utf8) item.get(fields.id);
            encoder.writeString(makeId("notice", item, item.get(fields.version).toString(), delivery.state()));
            encoder.writeString(id);
            encoder.writeString(makeId("item", item));
            encoder.writeInt((Integer) item.get(fields.version));
            encoder.writeLong(now);
            writeOptionalLong(item.get(fields.reviewAt));
            writeOptionalLong(item.get(fields.retainUntil));
            encoder.writeLong(head.length + delivery.contentTail().length);
            encoder.writeFixed(head);
            encoder.writeFixed(delivery.contentTail());
            encoder.writeFixed(delivery.tail());
            return end();
        }

        byte[] encodeOffer(GenericRecord item, Delivery delivery, long now) throws IOException {
            begin("offer");
            Utf8 id = (Utf8) item.get(fields.id);
            String itemId = makeId("item", item);
            encoder.writeString(
                    hash("ask/" + itemId + "/ACCEPT/" + item.get(fields.version) + ".0/" + delivery.state() + "/1"));
            encoder.writeString(id);
            encoder.writeString(itemId);
            encoder.writeInt((Integer) item.get(fields.version));
            encoder.writeLong(now);
            encoder.writeLong(now + delivery.period());
            encoder.writeFixed(delivery.tail());
            return end();
        }

        byte[] encodeDraft(GenericRecord item, byte[] value, Verdict verdict, long now) throws IOException {
            begin("draft");
            encoder.writeString((Utf8) item.get(fields.id));
            encoder.writeInt((Integer) item.get(fields.version));
            encoder.writeLong(now);
            writeOptionalText(((GenericRecord) item.get(fields.source)).get(fields.officer));
            encoder.writeBytes(value);
            encoder.writeFixed(verdict.draftTail());
            return end();
        }

        byte[] makeDraftKey(GenericRecord item) {
            return (makeId("item", item) + "/" + item.get(fields.version)).getBytes(StandardCharsets.UTF_8);
        }

        /** Returns the fields that may be disclosed, in the order of the schema; redacted fields are empty. */
        private byte[] encodeContent(GenericRecord item, Set<String> redacted) throws IOException {
            GenericRecord source = (GenericRecord) item.get("source");
            GenericRecord offence = (GenericRecord) item.get("offence");
            GenericRecord grading = (GenericRecord) item.get("grading");
            begin("notice_content");
            writeText("type", item.get("type"), redacted);
            writeText("value", item.get("value"), redacted);
            writeText("summary", item.get("summary"), redacted);
            writeText("source_agency", source.get("agency"), redacted);
            writeText("source_authority", source.get("authority"), redacted);
            writeText("source_case", source.get("case"), redacted);
            writeList("offence_codes", offence.get("codes"), redacted);
            writeList("offence_modifiers", offence.get("modifiers"), redacted);
            writeList("modus_operandi", offence.get("modus_operandi"), redacted);
            Double years = redacted.contains("max_penalty_years") ? null : (Double) offence.get("max_penalty_years");
            encoder.writeIndex(years == null ? 0 : 1);
            if (years != null) {
                encoder.writeDouble(years);
            }
            writeText("collection", item.get("collection"), redacted);
            writeText("subject_class", item.get("subject_class"), redacted);
            writeText("assertion", item.get("assertion"), redacted);
            writeText("grading_source", grading.get("source"), redacted);
            Integer grade = redacted.contains("grading_information") ? null : (Integer) grading.get("information");
            encoder.writeIndex(grade == null ? 0 : 1);
            if (grade != null) {
                encoder.writeInt(grade);
            }
            writeText("grading_admiralty", grading.get("admiralty"), redacted);
            writeText("origin_state", ((GenericRecord) item.get("origin")).get("state"), redacted);
            writeList("handling", item.get("handling"), redacted);
            writeText("handling_text", item.get("handling_text"), redacted);
            writeText("tlp", item.get("tlp"), redacted);
            writeText("pap", item.get("pap"), redacted);
            writeText("purpose", item.get("purpose"), redacted);
            writeText("personal_data", item.get("personal_data"), redacted);
            writeText("special_category", item.get("special_category"), redacted);
            writeOptionalLong(redacted.contains("observed_at") ? null : item.get("observed_at"));
            return end();
        }

        private void writeText(String name, Object value, Set<String> redacted) throws IOException {
            writeOptionalText(redacted.contains(name) ? null : value);
        }

        private void writeOptionalText(Object value) throws IOException {
            encoder.writeIndex(value == null ? 0 : 1);
            if (value instanceof Utf8 text) {
                encoder.writeString(text);
            } else if (value != null) {
                encoder.writeString(value.toString());
            }
        }

        private void writeList(String name, Object value, Set<String> redacted) throws IOException {
            List<?> entries = redacted.contains(name) ? List.of() : (List<?>) value;
            encoder.writeArrayStart();
            encoder.setItemCount(entries.size());
            for (Object entry : entries) {
                encoder.startItem();
                encoder.writeString(entry.toString());
            }
            encoder.writeArrayEnd();
        }

        private void writeOptionalLong(Object value) throws IOException {
            encoder.writeIndex(value == null ? 0 : 1);
            if (value != null) {
                encoder.writeLong((Long) value);
            }
        }

        /** Returns the UUIDv5 of an item and of what distinguishes the output, computed as in the gate. */
        private String makeId(String kind, GenericRecord item, String... parts) {
            Object agency = ((GenericRecord) item.get(fields.source)).get(fields.agency);
            StringBuilder name = new StringBuilder(
                    String.join("/", kind, table.state(), agency.toString(), item.get(fields.id).toString()));
            for (String part : parts) {
                name.append('/').append(part);
            }
            return hash(name.toString());
        }

        private String hash(String name) {
            sha1.update(table.namespace());
            ByteBuffer digest = ByteBuffer.wrap(sha1.digest(name.getBytes(StandardCharsets.UTF_8)));
            long high = digest.getLong() & ~0xF000L | 0x5000L;
            long low = digest.getLong() & ~(3L << 62) | 2L << 62;
            return new java.util.UUID(high, low).toString();
        }

        private void begin(String name) throws IOException {
            out.reset();
            encoder = EncoderFactory.get().binaryEncoder(out, encoder);
            encoder.writeFixed(table.frames().get(name));
        }

        private byte[] end() throws IOException {
            encoder.flush();
            return out.toByteArray();
        }
    }
}
